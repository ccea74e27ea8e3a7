//! `sekisho catalog linkage` and `sekisho steward linkage`: the linkage matrix (連結可否表).

use clap::{Args, Subcommand};
use comfy_table::Table;
use prost_types::Timestamp;
use sekisho_proto::v1::{
    LinkageRule, ListLinkageRulesRequest, SetLinkageDateRequest,
    catalogue_service_client::CatalogueServiceClient, steward_service_client::StewardServiceClient,
};
use tonic::transport::Channel;

use crate::{
    ceremony::step_up, error::CliError, gateway::Desk, nouns::agreement_file::timestamp,
    screen::table,
};

const SET_LINKAGE_DATE: &str = "/sekisho.v1.StewardService/SetLinkageDate";

/// The linkage matrix.
#[derive(Debug, Subcommand)]
pub(crate) enum LinkageCommand {
    /// Set the date from which a rule is open; needs a fresh assertion
    Date(SetDate),
}

/// A date, or none.
#[derive(Debug, Args)]
pub(crate) struct SetDate {
    /// Rule whose date a steward sets; see `sekisho catalog linkage`
    rule: String,
    /// First instant, such as 2028-12-01T00:00:00+09:00
    #[arg(long, value_name = "INSTANT", required_unless_present = "close")]
    from: Option<jiff::Timestamp>,
    /// Close the rule again
    #[arg(long, conflicts_with = "from")]
    close: bool,
}

impl LinkageCommand {
    pub(crate) async fn run(self, desk: &Desk, channel: Channel) -> Result<(), CliError> {
        let Self::Date(SetDate { rule, from, .. }) = self;
        let mut request =
            SetLinkageDateRequest { rule_id: rule, opens_at: from.map(timestamp), step_up: None };
        request.step_up = Some(step_up(&channel, desk.screen, SET_LINKAGE_DATE, &request).await?);
        let mut client = StewardServiceClient::new(channel);
        let answer = client.set_linkage_date(request).await?.into_inner();
        let rule = answer.rule.ok_or(CliError::Contract("a rule"))?;
        desk.screen.record("LinkageRule", &rule, || rows(std::slice::from_ref(&rule)).trim_fmt())
    }
}

/// The whole matrix.
pub(crate) async fn list(desk: &Desk) -> Result<(), CliError> {
    let mut client = CatalogueServiceClient::new(desk.connect_either().await?);
    let rules = client.list_linkage_rules(ListLinkageRulesRequest {}).await?.into_inner().rules;
    desk.screen.list("LinkageRule", &rules, || rows(&rules))
}

/// The law's dates begin at midnight in Japan.
fn in_japan(instant: &Timestamp) -> String {
    let instant = jiff::Timestamp::from_second(instant.seconds).unwrap_or_default();
    let there = jiff::tz::offset(9).to_datetime(instant);
    match (there.hour(), there.minute(), there.second()) {
        (0, 0, 0) => format!("{} JST", there.date()),
        _ => format!("{there} JST"),
    }
}

fn rows(rules: &[LinkageRule]) -> Table {
    let mut rows = table(&["rule", "holds", "between", "and", "from", "open"], &[]);
    for rule in rules {
        let from = match &rule.opens_at {
            None => "a date a steward sets".to_owned(),
            Some(date) => in_japan(date),
        };
        rows.add_row([
            rule.rule_id.clone(),
            rule.holds.clone(),
            rule.between.join(" "),
            rule.and.join(" "),
            from,
            if rule.open { "yes" } else { "no" }.to_owned(),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_law_are_shown_as_the_law_says_them() {
        let at = |seconds| in_japan(&Timestamp { seconds, nanos: 0 });
        assert_eq!(at(1_711_897_200), "2024-04-01 JST");
        assert_eq!(at(1_711_897_260), "2024-04-01T00:01:00 JST");
    }
}
