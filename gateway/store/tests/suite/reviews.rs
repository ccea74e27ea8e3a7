//! The output check: two blind votes, one release, and what leaves with it.

use sekisho_access::{
    action::{FetchRelease, ListReleases, ReadOutput, ResubmitRelease, RevokeSession},
    resource::{OutputResource, ProjectResource, Site as TheSite},
};
use sekisho_audit::{Checkpoint, EventKind, leaf, verify_inclusion};
use sekisho_domain::{PageRequest, Release, ReviewRequest, ReviewState, Role, Run, RunId, Verdict};

use super::{
    at_once, conflict, is_cut, is_unknown,
    site::{Login, Site, signer},
    study::{self, Study, sha256, submit},
};

pub(crate) async fn ou_1_two_blind_votes_decide(site: &mut Site) {
    let study = Study::begin(site).await;
    let [first, second] = &study.reviewers;
    let unfinished = study.start(site).await;
    assert_eq!(conflict(study.request(site, &unfinished).await), "NO_OUTPUTS");
    let leased = study.lease(site).await.unwrap();
    let run = study.complete(site, &leased, b"result").await.unwrap();
    let mark = site.mark().await;
    let request = study.request(site, &run).await.unwrap();
    assert_eq!(request.findings, 1, "as the outputs carry them");
    assert_eq!(conflict(study.request(site, &run).await), "UNDER_REVIEW");

    let early = study.vote_permit(site, first, &request).await;
    let voted = study.vote(site, first, &request, Verdict::Approve).await.unwrap();
    assert_eq!(voted.state, ReviewState::InReview);
    assert_eq!(voted.votes_for(first.person.person_id).len(), 1);
    assert!(voted.votes_for(second.person.person_id).is_empty(), "blind");
    assert!(voted.votes_for(study.researcher.person.person_id).is_empty(), "blind");
    // A permit from before the first vote does not make a second one of it.
    let again = study::vote(first, 1, Verdict::Approve, site.now());
    assert_eq!(conflict(site.store().cast_vote(early, again).await), "VOTED");
    for stale in [0, 2] {
        let permit = study.vote_permit(site, second, &request).await;
        let vote = study::vote(second, stale, Verdict::Approve, site.now());
        assert_eq!(conflict(site.store().cast_vote(permit, vote).await), "STALE_ROUND");
    }
    assert_eq!(site.names_since(mark).await, ["review_requested", "vote_cast"]);

    let decided = study.vote(site, second, &request, Verdict::Reject).await.unwrap();
    assert_eq!((decided.state, decided.release_id), (ReviewState::Returned, None));
    assert_eq!(decided.votes_for(study.researcher.person.person_id).len(), 2, "now open");
    let late = study.vote(site, second, &request, Verdict::Approve).await;
    assert_eq!(conflict(late), "STALE_ROUND");
    assert_eq!(
        site.names_since(mark).await,
        ["review_requested", "vote_cast", "vote_cast", "review_decided"]
    );
    assert_released(site, &run, false).await;
    let stored = site.store().review_of_run(run.run_id).await.unwrap().unwrap();
    assert_eq!(*stored.for_decision(), decided);

    // Both reject: it is final.
    let run = study.succeeded(site, b"result").await;
    let request = study.request(site, &run).await.unwrap();
    study.vote(site, first, &request, Verdict::Reject).await.unwrap();
    let rejected = study.vote(site, second, &request, Verdict::Reject).await.unwrap();
    assert_eq!(rejected.state, ReviewState::Rejected);
    assert_eq!(conflict(resubmit(site, &study, &rejected, run.run_id).await), "WRONG_STATE");
    assert_released(site, &run, false).await;
}

pub(crate) async fn ou_1_outputs_are_released_exactly_once(site: &mut Site) {
    let study = Study::begin(site).await;
    let producer = study.steward.person.organisation_id;
    let mut reviewers: Vec<Login> = study.reviewers.to_vec();
    for _ in 0..4 {
        reviewers.push(site.join(&study.steward, producer, &[Role::OutputReviewer]).await);
    }
    let run = study.succeeded(site, b"result").await;
    let request = study.request(site, &run).await.unwrap();
    let mark = site.mark().await;
    let mut votes = Vec::new();
    for reviewer in reviewers.iter().chain(&reviewers) {
        let permit = study.vote_permit(site, reviewer, &request).await;
        votes.push((permit, study::vote(reviewer, 1, Verdict::Approve, site.now())));
    }
    let outcomes = at_once(votes.into_iter().map(|(permit, vote)| {
        let store = site.store();
        async move { store.cast_vote(permit, vote).await }
    }))
    .await;
    let (counted, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(counted.len(), 2);
    for outcome in refused {
        assert!(["STALE_ROUND", "VOTED"].contains(&conflict(outcome)));
    }
    let names = ["vote_cast", "vote_cast", "review_decided", "released"];
    assert_eq!(site.names_since(mark).await, names);
    let stored = site.store().review_request(request.review_request_id).await.unwrap();
    let stored = stored.for_decision();
    assert_eq!((stored.state, stored.votes.len()), (ReviewState::Released, 2));
    assert_released(site, &run, true).await;

    let resource = ProjectResource { terms: study.terms() };
    let permit = site.permit::<ListReleases>(&study.researcher, resource).await;
    let page = PageRequest::new(0, "");
    let releases = site.store().releases(permit, &page).await.unwrap().into_inner().items;
    assert_eq!(releases.len(), 1);
    assert_eq!(Some(releases[0].release_id), stored.release_id);
    let at = usize::try_from(releases[0].entry_index).unwrap();
    let EventKind::Released { release_id, run_id, outputs, .. } = &site.events().await[at].kind
    else {
        panic!("the release names another entry")
    };
    assert_eq!((*release_id, *run_id), (releases[0].release_id, run.run_id));
    let rows = site.store().run_outputs(run.run_id).await.unwrap();
    assert_eq!(outputs[0].sha256, rows.for_decision()[0].0.sha256);
}

pub(crate) async fn ou_1_a_returned_request_is_answered_with_a_mended_run(site: &mut Site) {
    let study = Study::begin(site).await;
    let [first, second] = &study.reviewers;
    let (run, mended) =
        (study.succeeded(site, b"small cells").await, study.succeeded(site, b"merged").await);
    let taken = study.succeeded(site, b"other").await;
    study.request(site, &taken).await.unwrap();
    let elsewhere = another_project(site, &study).await;
    let unfinished = study.start(site).await;
    let request = study.request(site, &run).await.unwrap();
    let early = resubmit(site, &study, &request, mended.run_id).await;
    assert_eq!(conflict(early), "WRONG_STATE", "nobody returned it");
    study.vote(site, first, &request, Verdict::Return).await.unwrap();
    let returned = study.vote(site, second, &request, Verdict::Approve).await.unwrap();
    assert_eq!(returned.state, ReviewState::Returned);
    let mark = site.mark().await;

    let refused = resubmit(site, &study, &returned, taken.run_id).await;
    assert_eq!(conflict(refused), "UNDER_REVIEW");
    let refused = resubmit(site, &study, &returned, unfinished.run_id).await;
    assert_eq!(conflict(refused), "NO_OUTPUTS");
    assert!(is_unknown(&resubmit(site, &study, &returned, elsewhere).await));
    let same = resubmit(site, &study, &returned, run.run_id).await;
    assert_eq!(conflict(same), "SAME_RUN", "nothing was mended");
    assert_eq!(site.names_since(mark).await, [""; 0]);
    let stored = site.store().review_request(request.review_request_id).await.unwrap();
    assert_eq!(*stored.for_decision(), returned);

    let open = resubmit(site, &study, &returned, mended.run_id).await.unwrap();
    assert_eq!((open.state, open.round, open.run_id), (ReviewState::InReview, 2, mended.run_id));
    assert_eq!(open.votes_for(first.person.person_id).len(), 2, "the first round stays visible");
    // A vote meant for the first round does not count in the second.
    let stale = study.vote(site, first, &returned, Verdict::Approve).await;
    assert_eq!(conflict(stale), "STALE_ROUND");
    study.vote(site, first, &open, Verdict::Approve).await.unwrap();
    let released = study.vote(site, second, &open, Verdict::Approve).await.unwrap();
    assert_eq!(released.state, ReviewState::Released);
    assert_released(site, &mended, true).await;
    assert_released(site, &run, false).await;
    let names = ["review_requested", "vote_cast", "vote_cast", "review_decided", "released"];
    assert_eq!(site.names_since(mark).await, names);
    // The first run is free again, the released one is not.
    study.request(site, &run).await.unwrap();
    assert_eq!(conflict(study.request(site, &mended).await), "UNDER_REVIEW");
}

pub(crate) async fn ou_1_nobody_reads_after_their_session_was_cut(site: &mut Site) {
    let study = Study::begin(site).await;
    let run = study.succeeded(site, b"result").await;
    let release = study.released(site, &run).await;
    let output_id =
        site.store().run_outputs(run.run_id).await.unwrap().for_decision()[0].0.output_id;
    let output =
        || OutputResource { terms: study.terms(), output_id, released: true, under_review: true };

    let mark = site.mark().await;
    let permit = site.permit::<ReadOutput>(&study.researcher, output()).await;
    let (record, released, content) = site.store().read_output(permit).await.unwrap().into_inner();
    assert_eq!((record.output_id, released, content.as_slice()), (output_id, true, &b"result"[..]));
    assert_eq!(site.names_since(mark).await, ["output_read"]);

    let read = site.permit::<ReadOutput>(&study.researcher, output()).await;
    let fetch =
        site.permit::<FetchRelease>(&study.researcher, study.release_resource(&release)).await;
    let cut = site.permit::<RevokeSession>(&study.steward, TheSite).await;
    site.store().revoke_session(cut, study.researcher.session_id, String::new()).await.unwrap();
    let mark = site.mark().await;
    assert!(is_cut(&site.store().read_output(read).await));
    let guarded = site.store().release(release.release_id).await.unwrap();
    assert!(is_cut(&site.store().withdraw(fetch, guarded).await));
    assert_eq!(site.names_since(mark).await, [""; 0]);
}

pub(crate) async fn lg_2_a_release_carries_a_proof_that_verifies(site: &mut Site) {
    let study = Study::begin(site).await;
    let run = study.succeeded(site, b"result").await;
    let release = study.released(site, &run).await;
    let other = study.succeeded(site, b"another").await;
    let other = study.released(site, &other).await;
    let mark = site.mark().await;

    let fetch = |release: &Release| {
        site.permit::<FetchRelease>(&study.researcher, study.release_resource(release))
    };
    let anothers = site.store().release(other.release_id).await.unwrap();
    let permit = fetch(&release).await;
    assert!(
        is_unknown(&site.store().withdraw(permit, anothers).await),
        "a permit is for one release"
    );
    assert_eq!(site.names_since(mark).await, [""; 0]);

    let guarded = site.store().release(release.release_id).await.unwrap();
    let permit = fetch(&release).await;
    let left = site.store().withdraw(permit, guarded).await.unwrap().into_inner();
    assert_eq!(site.names_since(mark).await, ["release_fetched"]);
    assert_eq!(left.outputs.len(), 1);
    assert_eq!(left.outputs[0].1.as_slice(), b"result");
    assert_eq!(left.entry_index, release.entry_index);

    let checkpoint = Checkpoint::verify(&left.checkpoint, signer().verifier()).unwrap();
    assert_eq!(checkpoint.head.size, left.tree_size);
    let proves =
        |entry: &[u8], index| verify_inclusion(entry, index, &checkpoint.head, &left.inclusion);
    proves(&left.entry, left.entry_index).unwrap();
    assert!(proves(&left.entry, left.entry_index - 1).is_err());
    let mut altered = left.entry.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(proves(&altered, left.entry_index).is_err());
    let EventKind::Released { outputs, .. } = leaf::decode(&left.entry).unwrap().kind else {
        panic!()
    };
    assert_eq!(outputs[0].sha256, left.outputs[0].0.sha256, "the entry names what left");
    assert_ne!(outputs[0].sha256, sha256(b"result"), "by its sealed bytes");
}

async fn resubmit(
    site: &Site,
    study: &Study,
    request: &ReviewRequest,
    run_id: RunId,
) -> Result<ReviewRequest, sekisho_store::StoreError> {
    let resource = study.review_resource(request);
    let permit = site.permit::<ResubmitRelease>(&study.researcher, resource).await;
    let answered = site.store().resubmit_release(permit, run_id, "mended".to_owned()).await?;
    Ok(answered.for_decision().clone())
}

/// A run that left outputs in another project of the same researcher.
async fn another_project(site: &Site, study: &Study) -> RunId {
    let project = study::project(site, &[&study.researcher]);
    study::record(site, &study.steward, &project).await;
    let module = submit(site, &study.researcher, &project).await;
    let mut order = study.order(site, &study.researcher);
    order.run.project_id = project.project_id;
    order.run.module_id = module.module_id;
    let run_id = study.place(site, &study.researcher, order).await.unwrap().run_id;
    loop {
        let leased = study.lease(site).await.unwrap();
        study.complete(site, &leased, b"elsewhere").await.unwrap();
        if leased.run.run_id == run_id {
            return run_id;
        }
    }
}

async fn assert_released(site: &Site, run: &Run, expected: bool) {
    let outputs = site.store().run_outputs(run.run_id).await.unwrap();
    assert!(outputs.for_decision().iter().all(|(_, released)| *released == expected));
    assert!(!outputs.for_decision().is_empty());
}
