//! What this process uses.

use std::fs;

use anyhow::Context as _;

/// Clock ticks per second: what Linux tells programs, whatever its own clock does.
const TICKS: f64 = 100.0;

/// User and system time of all threads so far.
pub(super) fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("no process")?.1;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = times.map(|field| field.parse().unwrap_or(0)).sum();
    Ok(f64::from(ticks) / TICKS)
}

/// Memory in use, in MiB.
pub(super) fn resident_mib() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmRSS")?
        .parse()?;
    Ok(kib / 1024)
}
