//! What a run costs besides its analysis: from the request to start it until the client
//! hears that its outputs are sealed and wait for review.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, bail};
use sekisho_proto::v1::run_service_client::RunServiceClient;
use sekisho_proto::v1::{RunState, StartRunRequest, WatchRunRequest};
use tonic::transport::Channel;

use crate::Extent;
use crate::client::connect;
use crate::desk::{Desk, PATIENTS};
use crate::report::{Figure, median, note, quantile};
use crate::run::{Guest, Run};
use crate::scale::Rows;
use crate::sealed::Sealed;

/// Runs before those that count.
pub(crate) const WARM: usize = 3;

pub(crate) fn measure(desk: &Desk, extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let sealed = Sealed::make(PATIENTS, Rows::Exactly(1))?;
    let alone = Run::new(&Guest::named("trivial"), &sealed)?;
    let channel = desk.runtime.block_on(connect(&desk.site, &desk.site.gateway_url()))?;
    let (mut whole, mut runner, mut steps) = (Vec::new(), Vec::new(), BTreeMap::new());
    for run in 0..WARM + extent.runs {
        let timed = desk.runtime.block_on(submit(desk, &channel))?;
        let only = alone.once()?.seconds * 1e3;
        note(&format!("overhead run {run}: {timed:.1?} ms; the runner alone {only:.1} ms"));
        if run < WARM {
            continue;
        }
        whole.push(timed.last().map(|(_, at)| *at).context("a final state")?);
        runner.push(only);
        for (state, at) in timed {
            steps.entry(state as i32).or_insert_with(Vec::new).push(at);
        }
    }
    for (state, at) in &steps {
        let name = RunState::try_from(*state).unwrap_or_default().as_str_name();
        note(&format!("overhead: {name} heard after {:.1} ms, median of {}", median(at), at.len()));
    }
    let ratios: Vec<f64> = whole.iter().zip(&runner).map(|(whole, only)| whole / only).collect();
    let slowest = quantile(&whole, 0.95);
    Ok(vec![Figure {
        what: "trivial run, StartRun to SUCCEEDED, against its jailed runner alone".to_owned(),
        ours: format!("{:.0} ms (95 %: {slowest:.0} ms)", median(&whole)),
        against: format!("{:.0} ms", median(&runner)),
        ratio: Some(median(&ratios)),
        wanted: "below 100 ms",
    }])
}

/// Asks for a run and watches it to its end: milliseconds until each state was heard of.
async fn submit(desk: &Desk, channel: &Channel) -> anyhow::Result<Vec<(RunState, f64)>> {
    let mut client = RunServiceClient::new(channel.clone());
    let request = StartRunRequest {
        project_id: desk.project.clone(),
        module_id: desk.module.clone(),
        parameters: Vec::new(),
        request_id: uuid::Uuid::now_v7().to_string(),
    };
    let started = Instant::now();
    let since = || started.elapsed().as_secs_f64() * 1e3;
    let run = client.start_run(request).await?.into_inner().run.context("a run")?;
    let mut heard = vec![(RunState::Unspecified, since())];
    let request = WatchRunRequest { run_id: run.run_id };
    let mut states = client.watch_run(request).await?.into_inner();
    while let Some(answer) = states.message().await? {
        let run = answer.run.context("a run")?;
        if heard.last().is_none_or(|(state, _)| *state != run.state()) {
            heard.push((run.state(), since()));
        }
        match run.state() {
            RunState::Succeeded => return Ok(heard),
            RunState::Failed | RunState::Cancelled => {
                bail!("the run ended as {:?} {:?}", run.state(), run.failure_class())
            }
            _ => {}
        }
    }
    bail!("the watch ended before the run")
}
