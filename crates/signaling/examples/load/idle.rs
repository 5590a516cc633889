//! How much memory idle clients take.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::client::{Client, Start};
use crate::program::Program;
use crate::report::Report;

/// The bound for 10,000 clients, and what is aimed at.
const MIB: u64 = 100;
const AIM_MIB: u64 = 70;

/// Opens clients that do nothing, in rooms of four.
pub(crate) fn measure(server: &Path, clients: usize) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let program = Program::start(server, ([127, 0, 0, 1], 0).into(), None, &[])?;
    let empty = program.resident_kib()?;
    runtime.block_on(async {
        let began = Instant::now();
        let opened: Vec<Client> = stream::iter(0..clients)
            .map(|number| open(&program, number))
            .buffer_unordered(100)
            .try_collect()
            .await?;
        let took = began.elapsed();
        let before = program.processor_time()?;
        // Once without anything to do, past a round of pings.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let idle = program.processor_time()? - before;
        let kib = program.resident_kib()?;
        let mut report = Report::new(format!("{} idle clients", opened.len()));
        report.note(format!("opened in {:.1} s", took.as_secs_f64()));
        report.bound(
            kib <= MIB * 1024,
            format!(
                "{:.1} MiB resident (at most {MIB}, aim {AIM_MIB}); {:.1} KiB for each, {:.1} MiB without any",
                kib as f64 / 1024.0,
                (kib - empty) as f64 / opened.len() as f64,
                empty as f64 / 1024.0,
            ),
        );
        report.note(format!("{:.1} % of a processor", idle.as_secs_f64() * 20.0));
        Ok(report)
    })
}

async fn open(program: &Program, number: usize) -> anyhow::Result<Client> {
    let household = number / 4;
    let source = format!("11.{}.{}.1", household / 256, household % 256);
    let mut start = Start::signaling(program.address, &source);
    start.buffer = 1024;
    let (mut client, _) = Client::greeted(start).await?;
    client.join_nearby().await?;
    Ok(client)
}
