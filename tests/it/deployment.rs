//! On whose machines a site may be served, and until when.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use sekisho_demo::site::{Signal, Site, StageName};

use crate::support::{desk::list, log};

const CLOUD: &str = "place = \"cloud\"\nservice = \"Example Cloud\"\n";
const OVER: &str = "[ismap]\nnumber = \"C21-0000-2\"\nvalid_until = \"2020-03-31\"\n";

#[test]
fn cl_2_a_record_whose_time_is_over_raises_an_alert() {
    let (mut site, _) = Site::staffed().unwrap();
    let record = site.root().join("gateway/deployment.toml");
    site.gateway().unwrap().end(Signal::Terminate).unwrap();
    fs::write(&record, CLOUD).unwrap();
    assert!(site.start_gateway().is_err(), "a cloud service without procedure A");
    fs::write(&record, format!("{CLOUD}{OVER}")).unwrap();
    site.start_gateway().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let raised = || site.person(StageName::Watch).args(["alert", "list"]).json().unwrap();
    while !list(&raised()).iter().any(|alert| alert["rule"] == "deployment_expired") {
        assert!(Instant::now() < deadline, "no alert: {}", raised());
        thread::sleep(Duration::from_millis(200));
    }
    let entries = log::entries(&site);
    let alerts = entries.iter().filter(|it| it.is("alert_raised", "rule", "deployment_expired"));
    assert_eq!(alerts.count(), 1);
    log::verified(&site);
}
