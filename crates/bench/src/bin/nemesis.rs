//! `nemesis --seed 7 --seconds 10`: one seed. `nemesis --minutes 2`: seeds one after the other until the time is over.
//! Ends with `N passed, M failed`; a failed seed is printed with its history and can be run again.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use pizzapi_bench::nemesis::{Options, run};

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "target/debug/pizzapi")]
    program: PathBuf,
    /// Run this seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// First of a series.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Length of a series; at least one seed runs.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// At most so many seeds.
    #[arg(long, default_value_t = u64::MAX)]
    seeds: u64,
    /// How long faults go on per seed.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    #[arg(long, default_value_t = 3)]
    sessions: usize,
    #[arg(long, default_value_t = 5)]
    viewers: usize,
    /// Longest pause of a process or a link, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    pause: u64,
    /// Print the history of passing seeds too.
    #[arg(long)]
    verbose: bool,
}

fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let end = Instant::now() + Duration::from_secs_f64(arguments.minutes * 60.0);
    let (mut passed, mut failed) = (0, 0);
    let seeds: Box<dyn Iterator<Item = u64>> = match arguments.seed {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new((arguments.from..).take(usize::try_from(arguments.seeds).unwrap_or(usize::MAX))),
    };
    for seed in seeds {
        if passed + failed > 0 && Instant::now() > end {
            break;
        }
        let options = Options {
            program: arguments.program.clone(),
            seed,
            length: Duration::from_secs(arguments.seconds),
            sessions: arguments.sessions,
            viewers: arguments.viewers,
            longest_pause: Duration::from_millis(arguments.pause),
        };
        let (violations, history, summary) = runtime.block_on(run(options))?;
        if violations.is_empty() {
            passed += 1;
            println!("seed {seed}: ok ({summary})");
        } else {
            failed += 1;
            println!("seed {seed}: FAILED ({summary})");
        }
        if !violations.is_empty() || arguments.verbose {
            history.iter().for_each(|line| println!("    {line}"));
            violations.iter().for_each(|violation| println!("  violation: {violation}"));
        }
    }
    println!("nemesis: {passed} passed, {failed} failed");
    anyhow::ensure!(failed == 0, "{failed} seeds failed");
    Ok(())
}
