//! How many questions the public may ask of the simple database (CT-2).

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use sekisho_domain::Timestamp;

use crate::AppError;

/// Questions one address may ask on one day (UTC).
const QUESTIONS: u32 = 100;
/// Addresses remembered; beyond them nobody new may ask before the next day.
const ADDRESSES: usize = 100_000;

/// Counts questions by address; forgets them at the end of the day and of the process.
#[derive(Default)]
pub(crate) struct QuestionBudget(Mutex<Day>);

#[derive(Default)]
struct Day {
    number: i64,
    asked: HashMap<IpAddr, u32>,
}

impl QuestionBudget {
    /// Spends one question; gives those left.
    pub(crate) fn spend(&self, address: IpAddr, now: Timestamp) -> Result<u32, AppError> {
        let spent = || AppError::Limit {
            code: "QUESTION_BUDGET",
            message: format!("{QUESTIONS} questions a day are answered; ask again tomorrow"),
        };
        let mut day = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let today = now.seconds().div_euclid(86_400);
        if day.number != today {
            *day = Day { number: today, asked: HashMap::new() };
        }
        if day.asked.len() >= ADDRESSES && !day.asked.contains_key(&network(address)) {
            return Err(spent());
        }
        let asked = day.asked.entry(network(address)).or_default();
        let left = QUESTIONS.checked_sub(*asked + 1).ok_or_else(spent)?;
        *asked += 1;
        Ok(left)
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(budget: &QuestionBudget, address: &str, seconds: i64) -> Result<u32, &'static str> {
        let spent = budget.spend(address.parse().unwrap(), Timestamp::from_millis(seconds * 1000));
        spent.map_err(|error| error.code())
    }

    #[test]
    fn ct_2_a_hundred_questions_a_day_are_answered() {
        let budget = QuestionBudget::default();
        for left in (0..QUESTIONS).rev() {
            assert_eq!(spend(&budget, "192.0.2.1", 0), Ok(left));
        }
        assert_eq!(spend(&budget, "192.0.2.1", 86_399), Err("QUESTION_BUDGET"));
        assert_eq!(spend(&budget, "::ffff:192.0.2.1", 86_399), Err("QUESTION_BUDGET"));
        assert_eq!(spend(&budget, "192.0.2.2", 86_399), Ok(99));
        assert_eq!(spend(&budget, "192.0.2.1", 86_400), Ok(99));
    }

    #[test]
    fn ct_2_addresses_of_one_ipv6_network_share_a_budget() {
        let budget = QuestionBudget::default();
        assert_eq!(spend(&budget, "2001:db8::1", 0), Ok(99));
        assert_eq!(spend(&budget, "2001:db8::2", 0), Ok(98));
        assert_eq!(spend(&budget, "2001:db8:0:1::2", 0), Ok(99));
    }
}
