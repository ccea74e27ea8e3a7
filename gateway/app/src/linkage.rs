//! Joined views (連結): which datasets may be analysed together, and since when (LK-1, LK-3).

use sekisho_access::{
    Caller, Guarded, Visible,
    action::{BrowseCatalogue, SetLinkageDate},
    linkage::{LinkageDates, LinkageRule, LinkedPart, Opens},
    resource::Site,
};
use sekisho_domain::{Agreement, Dataset, Timestamp};

use crate::{App, AppError, step_up::StepUpAnswer};

/// A rule of the matrix as it stands.
#[derive(Debug, Clone)]
pub struct LinkageState {
    /// The rule.
    pub rule: LinkageRule,
    /// From when it is open; unset while no steward has set the date.
    pub opens_at: Option<Timestamp>,
    /// Whether it is open now.
    pub open: bool,
}

impl App {
    /// The linkage matrix (連結可否表), with the dates that stewards have set.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn linkage_rules(
        &self,
        caller: &Caller,
    ) -> Result<Visible<Vec<LinkageState>>, AppError> {
        let permit = self.authorizer.authorize::<BrowseCatalogue>(caller, Site).await?;
        let dates = self.store.linkage_dates().await?;
        let rules = self.linkage.rules().iter();
        let states = rules.map(|rule| state(rule, &dates, caller.at)).collect();
        Ok(permit.reveal(Guarded::new(states)))
    }

    /// Sets the date from which a rule is open, with a fresh assertion; none closes it.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a rule whose date is not a steward's to set.
    pub async fn set_linkage_date(
        &self,
        caller: &Caller,
        rule_id: &str,
        opens_at: Option<Timestamp>,
        answer: StepUpAnswer,
    ) -> Result<Visible<LinkageState>, AppError> {
        let fresh = self.redeem_step_up(caller, answer).await?;
        let permit = self.authorizer.authorize_fresh::<SetLinkageDate>(caller, Site, fresh).await?;
        let rule = self.linkage.steward_rule(rule_id).ok_or_else(|| {
            AppError::invalid("NO_SUCH_RULE", "rule_id", "no rule whose date a steward sets")
        })?;
        let dates = opens_at.map(|date| (rule.id.clone(), date)).into_iter().collect();
        let state = state(rule, &dates, caller.at);
        Ok(self.store.set_linkage_date(permit, rule.id.clone(), opens_at, state).await?)
    }

    /// A joined view must be one whose parts may meet from its first day on, and whose
    /// persons and tables can be told apart (LK-1, LK-2). Its content was checked before.
    pub(crate) async fn check_joined(
        &self,
        agreement: &Agreement,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let invalid = |code, why: String| Err(AppError::invalid(code, "agreement.joined", why));
        let mut datasets: Vec<Dataset> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        for (dataset_id, version, tables) in agreement.datasets() {
            let dataset = self.store.dataset(dataset_id, Some(version)).await?;
            let dataset = dataset.for_decision().clone();
            if datasets.iter().any(|other| other.dataset_id == dataset.dataset_id) {
                return invalid("AGREEMENT_INVALID", format!("{dataset_id} is named twice"));
            }
            if let Some(table) = tables.iter().find(|granted| !names.insert(&granted.table)) {
                let why = format!("two tables are called {}; grant one of them", table.table);
                return invalid("AGREEMENT_INVALID", why);
            }
            if datasets.first().is_some_and(|first| first.id_space != dataset.id_space) {
                let why = format!("the persons of {dataset_id} have tokens of another id space");
                return invalid("NOT_JOINABLE", why);
            }
            datasets.push(dataset);
        }
        let parts: Vec<_> = datasets.iter().map(part).collect();
        let first_day = agreement.period_start.max(at);
        let closed = self.linkage.closed(&parts, &self.store.linkage_dates().await?, first_day);
        if closed.is_empty() {
            return Ok(());
        }
        invalid("LINKAGE_CLOSED", format!("may not be joined (LK-1): {}", closed.join("; ")))
    }
}

fn state(rule: &LinkageRule, dates: &LinkageDates, at: Timestamp) -> LinkageState {
    let opens_at = match rule.opens {
        Opens::From(from) => Some(from),
        Opens::BySteward => dates.get(&rule.id).copied(),
    };
    LinkageState { rule: rule.clone(), opens_at, open: rule.is_open(dates, at) }
}

fn part(dataset: &Dataset) -> LinkedPart {
    LinkedPart { database: dataset.database.clone(), holds: dataset.holds }
}
