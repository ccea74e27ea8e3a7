//! How many questions the public may ask of the simple database (CT-2).

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use sekisho_domain::Timestamp;

use crate::AppError;

/// Questions one address may ask on one day (UTC).
const QUESTIONS: u32 = 100;
/// Networks remembered. Whoever has many can fill them; those who come after share
/// [`NEWCOMERS`], which one of them can use up for the others, minute by minute.
const NETWORKS: usize = 100_000;
/// Questions a minute of all newcomers together, once no more networks are remembered.
const NEWCOMERS: u32 = 60;

/// Counts questions by address; forgets them at the end of the day and of the process.
#[derive(Default)]
pub(crate) struct QuestionBudget(Mutex<Day>);

#[derive(Default)]
struct Day {
    number: i64,
    asked: HashMap<IpAddr, u32>,
    /// The minute in which newcomers were last answered, and how many.
    newcomers: (i64, u32),
}

impl QuestionBudget {
    /// Spends one question; gives those left.
    pub(crate) fn spend(&self, address: IpAddr, now: Timestamp) -> Result<u32, AppError> {
        let spent = || AppError::Limit {
            code: "QUESTION_BUDGET",
            message: format!(
                "{QUESTIONS} questions a day are answered, fewer when many ask; try later"
            ),
        };
        let mut day = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let today = now.seconds().div_euclid(86_400);
        if day.number != today {
            *day = Day { number: today, ..Day::default() };
        }
        if day.asked.len() >= NETWORKS && !day.asked.contains_key(&network(address)) {
            return day.newcomer(now.seconds().div_euclid(60)).ok_or_else(spent);
        }
        let asked = day.asked.entry(network(address)).or_default();
        let left = QUESTIONS.checked_sub(*asked + 1).ok_or_else(spent)?;
        *asked += 1;
        Ok(left)
    }
}

impl Day {
    /// Spends one question of the minute; none is left that its asker could count on.
    fn newcomer(&mut self, minute: i64) -> Option<u32> {
        if self.newcomers.0 != minute {
            self.newcomers = (minute, 0);
        }
        self.newcomers.1 = self.newcomers.1.saturating_add(1);
        (self.newcomers.1 <= NEWCOMERS).then_some(0)
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
    fn ct_2_many_networks_slow_newcomers_down_until_the_next_minute() {
        let budget = QuestionBudget::default();
        assert_eq!(spend(&budget, "192.0.2.1", 0), Ok(99));
        for network in 1..NETWORKS {
            let address = format!("2001:db8:{:x}:{:x}::1", network >> 16, network & 0xffff);
            assert_eq!(spend(&budget, &address, 0), Ok(99));
        }
        assert_eq!(spend(&budget, "192.0.2.1", 0), Ok(98), "who asked before keeps a budget");
        for newcomer in 0..NEWCOMERS {
            assert_eq!(spend(&budget, &format!("198.51.100.{newcomer}"), 0), Ok(0));
        }
        assert_eq!(spend(&budget, "203.0.113.1", 59), Err("QUESTION_BUDGET"));
        assert_eq!(spend(&budget, "203.0.113.1", 60), Ok(0), "a minute later");
        assert_eq!(spend(&budget, "203.0.113.1", 86_400), Ok(99), "the next day");
    }

    #[test]
    fn ct_2_addresses_of_one_ipv6_network_share_a_budget() {
        let budget = QuestionBudget::default();
        assert_eq!(spend(&budget, "2001:db8::1", 0), Ok(99));
        assert_eq!(spend(&budget, "2001:db8::2", 0), Ok(98));
        assert_eq!(spend(&budget, "2001:db8:0:1::2", 0), Ok(99));
    }
}
