//! What a process takes.

/// Resident memory of a process, in megabytes.
#[must_use]
pub fn resident(pid: u32) -> usize {
    of_status(pid, "VmRSS:")
}

/// The most resident memory that a process has had since [`forget_peak`], in megabytes.
#[must_use]
pub fn peak(pid: u32) -> usize {
    of_status(pid, "VmHWM:")
}

/// Lets the peak begin with what the process has now.
pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

fn of_status(pid: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}
