//! Calls a second with everything a call has: the session looked up, the policy asked, start,
//! decision and outcome in the signed log on disk before the answer leaves.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use sekisho_proto::v1::WhoAmIRequest;
use sekisho_proto::v1::session_service_client::SessionServiceClient;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::Extent;
use crate::client::connect;
use crate::desk::Desk;
use crate::echo::Echo;
use crate::report::{Figure, Turns, median, note, quantile};

/// Callers at once, and the connections they share.
const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;
/// Flushes of the disk, for comparison.
const FLUSHES: usize = 100;
/// What SQLite writes at once.
const PAGE: [u8; 4096] = [0x5a; 4096];

pub(crate) fn measure(desk: &Desk, extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let echo = Echo::start(desk.site.root())?;
    let connections = |url: &str| {
        let url = url.to_owned();
        desk.runtime.block_on(async move {
            let mut channels = Vec::new();
            for _ in 0..CONNECTIONS {
                channels.push(connect(&desk.site, &url).await?);
            }
            anyhow::Ok(channels)
        })
    };
    let (gateway, bare) = (connections(&desk.site.gateway_url())?, connections(&echo.url)?);
    let turn = |name: &str, channels: &[Channel], callers: usize| {
        let length = Duration::from_secs(extent.call_seconds);
        let (rate, waits) = desk.runtime.block_on(calls(channels, callers, length))?;
        let (half, most) = (median(&waits), quantile(&waits, 0.99));
        note(&format!(
            "calls: {name}, {callers} callers: {rate:.0}/s, median {half:.2} ms, 99 % {most:.2} ms"
        ));
        Ok(rate)
    };
    let mut figures = Vec::new();
    for callers in [CALLERS, 1] {
        let name = format!("calls, {callers} at once");
        let turns = Turns::take(
            &name,
            extent.rounds,
            || turn("gateway", &gateway, callers),
            || turn("echo", &bare, callers),
        )?;
        figures.push(Figure {
            what: format!("WhoAmI, {callers} at once, against a bare tonic echo"),
            ours: format!("{:.0} calls/s", turns.ours()),
            against: format!("{:.0} calls/s", turns.other()),
            // Here more is better.
            ratio: Some(1.0 / turns.ratio()),
            wanted: "",
        });
    }
    let flush = flush(desk.site.root())?;
    note(&format!("calls: writing 4 KiB and fdatasync takes {flush:.2} ms on this disk"));
    Ok(figures)
}

/// Calls for a while; how many a second, and how long each took in milliseconds.
async fn calls(
    channels: &[Channel],
    callers: usize,
    length: Duration,
) -> anyhow::Result<(f64, Vec<f64>)> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for channel in channels.iter().cycle().take(callers) {
        let mut client = SessionServiceClient::new(channel.clone());
        tasks.spawn(async move {
            let mut waits = Vec::new();
            while started.elapsed() < length {
                let asked = Instant::now();
                let answer = client.who_am_i(WhoAmIRequest {}).await?.into_inner();
                ensure!(answer.session.is_some(), "an answer without a session");
                waits.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            Ok(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done??);
    }
    Ok((waits.len() as f64 / started.elapsed().as_secs_f64(), waits))
}

/// Milliseconds of the least durable write, beside the gateway's database.
fn flush(site: &Path) -> anyhow::Result<f64> {
    let path = site.join("flush");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..FLUSHES {
        let started = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(median(&times))
}
