//! Role x action x circumstance, written out as text that is reviewed as a diff:
//! `policies/matrix.txt`. Regenerate with `SEKISHO_UPDATE=1 cargo test -p sekisho-access`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod stage;

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use sekisho_access::{
    ActiveSession, Authorizer, Caller, PolicyEngine, Refusal, SessionRecord, Who, action,
    resource::*,
};
use sekisho_domain::*;

use stage::*;

/// Every action for one caller.
async fn column(authorizer: &Authorizer, caller: &Caller, r: &Resources) -> Vec<(String, String)> {
    use action::*;
    let mut rows = Vec::new();
    macro_rules! on {
        ($($action:ident($resource:expr) $(as $note:literal)?;)*) => {$(
            let name = concat!(stringify!($action) $(, " ", $note)?).to_owned();
            rows.push((name, ask::<$action>(authorizer, caller, $resource).await));
        )*};
    }
    on! {
        ReadOwnSession(Site); Logout(Site); BeginStepUp(Site); BrowseCatalogue(Site);
        CountPatients(Site);
        ListProjects(Site); ListReviewQueue(Site); ListModuleQueue(Site);
        ListBringInQueue(Site);
        RegisterOrganisation(Site); RegisterPerson(Site); ListPeople(Site); RemovePerson(Site);
        RegisterDataset(Site); SetLinkageDate(Site); ListVaultKeys(Site); RotateVaultKey(Site);
        RecordAgreement(Site); EnrolWorker(Site); ReadLog(Site);
        WatchAlerts(Site); RevokeSession(Site); LeaseRun(Site); HoldRun(r.run());
        ReadProject(r.project()); CloseProject(r.project()); ReadErasure(r.project());
        SubmitModule(r.project()); ListModules(r.project());
        SubmitBringIn(r.project()); ListBringIns(r.project());
        ListRuns(r.project()); ListReleases(r.project()); ListReviewRequests(r.project());
        StartRun(r.plan(&[], ModuleState::Approved));
        StartRun(r.plan(&["lung.secret"], ModuleState::Approved)) as "of an ungranted column";
        StartRun(r.plan(&[], ModuleState::InReview)) as "of an unreviewed module";
        StartRun(r.unlinkable_plan()) as "that joins what must stay apart";
        ReadBringIn(r.bring_in()); ReadBringInTable(r.bring_in()); DecideBringIn(r.bring_in());
        WithdrawBringIn(r.bring_in());
        ReadModule(r.module()); DecideModule(r.module()); ReadRun(r.run()); CancelRun(r.run());
        ListOutputs(r.run()); RequestRelease(r.run());
        ReadOutput(r.output(false)) as "unreleased"; ReadOutput(r.output(true)) as "released";
        ReadReviewRequest(r.review()); CastVote(r.review()); ResubmitRelease(r.review());
        FetchRelease(r.release());
        OrderReidentification(ReidentificationRegister);
        ListReidentifications(ReidentificationRegister);
        ConfirmReidentification(r.reidentification()); FetchReidentification(r.reidentification());
        LeaseTrace(ReidentificationRegister); HoldTrace(r.reidentification());
    }
    rows
}

async fn matrix() -> String {
    let stage = stage();
    let authorizer = Authorizer::new(Arc::new(PolicyEngine::new().unwrap()), Arc::new(Accepting));
    let here = "127.0.0.1";
    let mut callers = vec![
        (
            "handler of the project".to_owned(),
            caller(&stage.researcher, BiometricLevel::B1, NOW, here),
        ),
        (
            "handler of no project".to_owned(),
            caller(&stage.stranger, BiometricLevel::B1, NOW, here),
        ),
    ];
    for (role, person) in &stage.staff {
        callers.push(((*role).to_owned(), caller(person, BiometricLevel::B1, NOW, here)));
    }
    let late = NOW.plus_seconds(3600);
    let mut untrained = stage.researcher.clone();
    untrained.training_until = Some(NOW);
    untrained.pledged_at = None;
    for (name, caller) in [
        (
            "reviewer of the handler's organisation",
            caller(&stage.own_reviewer, BiometricLevel::B1, NOW, here),
        ),
        ("handler with level B0", caller(&stage.researcher, BiometricLevel::B0, NOW, here)),
        (
            "handler at the end of the period",
            caller(&stage.researcher, BiometricLevel::B1, late, here),
        ),
        (
            "handler from an undeclared place",
            caller(&stage.researcher, BiometricLevel::B1, NOW, "192.0.2.1"),
        ),
        ("handler without training and pledge", caller(&untrained, BiometricLevel::B1, NOW, here)),
    ] {
        callers.push((name.to_owned(), caller));
    }
    let mut closed = stage.project.clone();
    (closed.agreement.bring_in, closed.agreement.take_out) = (false, false);
    let worker = Caller { who: Who::Worker(stage.worker), ..callers[0].1.clone() };
    callers.push(("worker".to_owned(), worker));
    let visitor = Caller { who: Who::Visitor, ..callers[0].1.clone() };
    callers.push(("visitor without a certificate".to_owned(), visitor));
    let mut text = String::from(
        "# Who may do what. Generated by gateway/access/tests/matrix; review it as a diff.\n\
         # yes: permitted. hidden: told that there is no such thing. Otherwise: policy(rule).\n",
    );
    for (name, caller) in callers {
        let resources = Resources::new(&stage, caller.peer);
        write!(text, "\n## {name}\n").unwrap();
        for (action, answer) in column(&authorizer, &caller, &resources).await {
            writeln!(text, "{action:<40} {answer}").unwrap();
        }
    }
    text.push_str("\n## circumstances\n");
    for (name, answer) in circumstances(&authorizer, &stage, &closed).await {
        writeln!(text, "{name:<60} {answer}").unwrap();
    }
    text
}

/// What no column above brings about.
async fn circumstances(
    authorizer: &Authorizer,
    stage: &Stage,
    closed: &Project,
) -> Vec<(&'static str, String)> {
    let here = "127.0.0.1";
    let handler = caller(&stage.researcher, BiometricLevel::B1, NOW, here);
    let staff = |role: &str| stage.staff.iter().find(|(name, _)| *name == role).unwrap().1.clone();
    let reviewer = caller(&staff("output_reviewer"), BiometricLevel::B1, NOW, here);
    let steward = caller(&staff("steward"), BiometricLevel::B1, NOW, here);
    let mut both = staff("output_reviewer");
    both.roles.push(Role::SecurityWatch);
    let both = caller(&both, BiometricLevel::B1, NOW, here);
    let r = Resources::new(stage, handler.peer);
    let shut = ProjectTerms::new(closed, handler.peer);
    let voted = ReviewResource { voters: vec![reviewer.person_id().unwrap()], ..r.review() };
    let project = ProjectResource { terms: shut.clone() };
    let run = RunResource { terms: shut.clone(), ..r.run() };
    let release = ReleaseResource { terms: shut.clone(), ..r.release() };
    let shut_project = ProjectResource { terms: shut.clone() };
    let output = OutputResource { terms: shut, ..r.output(true) };
    let alone = OutputResource { under_review: false, ..r.output(false) };
    let mut ended = stage.project.clone();
    ended.closure = Some(Closure { at: NOW, by: None, reason: "ended".to_owned() });
    let ended = ProjectTerms::new(&ended, handler.peer);
    let again = ProjectResource { terms: ended.clone() };
    let after = ProjectResource { terms: ended.clone() };
    let tabled = ProjectResource { terms: ended.clone() };
    let erased = BringInResource { terms: ended.clone(), ..r.bring_in() };
    let left = ReleaseResource { terms: ended, ..r.release() };
    let weak = authorizer
        .authorize_fresh::<action::CastVote>(&reviewer, r.review(), fresh(BiometricLevel::B0))
        .await;
    let stale = authorizer.authorize::<action::CastVote>(&reviewer, r.review()).await;
    let bare = authorizer.authorize::<action::RecordAgreement>(&steward, Site).await;
    let ordered_by = steward.person_id().unwrap();
    let own = ReidentificationResource { ordered_by, ..r.reidentification() };
    let register = ReidentificationRegister;
    let unasserted =
        authorizer.authorize::<action::OrderReidentification>(&steward, register).await;
    let undecided = authorizer.authorize::<action::DecideBringIn>(&steward, r.bring_in()).await;
    let mut colleague = stage.own_reviewer.clone();
    colleague.roles = vec![Role::Steward];
    let inside = caller(&colleague, BiometricLevel::B1, NOW, here);
    let mut handled = stage.project.clone();
    handled.agreement.handlers.extend(steward.person_id());
    let joined =
        BringInResource { terms: ProjectTerms::new(&handled, handler.peer), ..r.bring_in() };
    vec![
        ("OrderReidentification without a fresh assertion", answer(unasserted)),
        (
            "ConfirmReidentification of one's own order",
            ask::<action::ConfirmReidentification>(authorizer, &steward, own).await,
        ),
        ("CastVote without a fresh assertion", answer(stale)),
        ("CastVote with a fresh assertion of level B0", answer(weak)),
        ("RecordAgreement without a fresh assertion", answer(bare)),
        ("CastVote a second time", ask::<action::CastVote>(authorizer, &reviewer, voted).await),
        (
            "ReadLog as output reviewer and security watch",
            ask::<action::ReadLog>(authorizer, &both, Site).await,
        ),
        (
            "SubmitModule where nothing may be brought in",
            ask::<action::SubmitModule>(authorizer, &handler, project).await,
        ),
        (
            "SubmitBringIn where nothing may be brought in",
            ask::<action::SubmitBringIn>(authorizer, &handler, shut_project).await,
        ),
        (
            "SubmitBringIn to a closed project",
            ask::<action::SubmitBringIn>(authorizer, &handler, tabled).await,
        ),
        (
            "ReadBringInTable of a closed project",
            ask::<action::ReadBringInTable>(authorizer, &steward, erased).await,
        ),
        ("DecideBringIn without a fresh assertion", answer(undecided)),
        (
            "DecideBringIn as steward of the handlers' organisation",
            ask::<action::DecideBringIn>(authorizer, &inside, r.bring_in()).await,
        ),
        (
            "DecideBringIn as steward who is a handler of the project",
            ask::<action::DecideBringIn>(authorizer, &steward, joined).await,
        ),
        (
            "RequestRelease where nothing may be taken out",
            ask::<action::RequestRelease>(authorizer, &handler, run).await,
        ),
        (
            "FetchRelease where nothing may be taken out",
            ask::<action::FetchRelease>(authorizer, &handler, release).await,
        ),
        (
            "ReadOutput released, where nothing may be taken out",
            ask::<action::ReadOutput>(authorizer, &handler, output).await,
        ),
        (
            "SubmitModule to a closed project",
            ask::<action::SubmitModule>(authorizer, &handler, after).await,
        ),
        (
            "FetchRelease of a closed project",
            ask::<action::FetchRelease>(authorizer, &handler, left).await,
        ),
        (
            "CloseProject a second time",
            ask::<action::CloseProject>(authorizer, &steward, again).await,
        ),
        (
            "ReadOutput as reviewer, not under review",
            ask::<action::ReadOutput>(authorizer, &reviewer, alone).await,
        ),
    ]
}

#[tokio::test]
async fn au_3_the_matrix_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/matrix.txt");
    let found = matrix().await;
    if std::env::var_os("SEKISHO_UPDATE").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap();
    assert_eq!(found, reviewed, "review the change and run with SEKISHO_UPDATE=1");
    for (action, _) in action::ALL {
        assert!(reviewed.contains(&format!("\n{action}")), "{action} is not in the matrix");
    }
    for id in forbids() {
        assert!(reviewed.contains(&format!("{id}(")), "no line of the matrix shows {id}");
    }
}

/// Ids of all policies that take away, but the one that no admitted session can meet.
fn forbids() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cedar");
    let mut ids = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for (before, _) in text.match_indices("\nforbid").map(|(at, _)| text.split_at(at)) {
            let id = before.rsplit("@id(\"").next().unwrap().split('"').next().unwrap();
            ids.push(id.to_owned());
        }
    }
    ids.retain(|id| id != "off_roster");
    assert!(ids.len() > 10, "{ids:?}");
    ids
}

#[tokio::test]
async fn lg_1_nothing_is_permitted_that_cannot_be_recorded() {
    let stage = stage();
    let authorizer = Authorizer::new(Arc::new(PolicyEngine::new().unwrap()), Arc::new(Broken));
    let caller = caller(&stage.researcher, BiometricLevel::B1, NOW, "127.0.0.1");
    let asked = authorizer.authorize::<action::BrowseCatalogue>(&caller, Site).await;
    assert!(matches!(asked, Err(Refusal::Log(_))));
}

#[test]
fn au_2_a_session_of_somebody_off_the_roster_is_not_admitted() {
    let mut person = stage().researcher;
    person.active = false;
    let record = SessionRecord {
        session_id: SessionId::new(NOW),
        person_id: person.person_id,
        level: BiometricLevel::B1,
        credential_id: String::new(),
        started_at: NOW,
        expires_at: NOW.plus_seconds(1),
        ended_at: None,
    };
    assert!(ActiveSession::admit(record, person, NOW).is_err());
}
