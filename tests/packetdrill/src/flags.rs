//! What `--so_flags` says: `name=value`, separated by commas.

use std::str::FromStr;

use longwire::stack::{Algorithm, Cidr, Config, Duration, EcnMode};

/// Window scale 8, as Linux offers it, needs no more than this.
const BUFFER: usize = 1024 * 1024;
/// What the scripts' settings give a new socket (the middle number of Linux's `tcp_wmem`).
const SEND_BUFFER: usize = 256 * 1024;

/// The configuration of a stack for packetdrill's default addresses, changed as `flags` says.
///
/// # Errors
/// What is wrong with them, in words.
pub(crate) fn configuration(flags: &str) -> Result<Config, String> {
    let mut config = Config::new(Vec::new());
    config.socket.send_buffer = SEND_BUFFER;
    config.socket.receive_buffer = BUFFER;
    for flag in flags.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
        let (name, value) = flag.split_once('=').ok_or_else(|| format!("{flag}: expected name=value"))?;
        apply(&mut config, name, value).map_err(|why| format!("{name}={value}: {why}"))?;
    }
    if config.addresses.is_empty() {
        config.addresses = vec![address("192.168.0.1")?, address("fd3d:fa7b:d17d::1")?];
    }
    Ok(config)
}

fn apply(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    match name {
        "local" => config.addresses.push(address(value)?),
        "mtu" => config.mtu = number(value)?,
        "ecn" => config.tcp.ecn = ecn(value).ok_or("0, 1 or 2, as Linux counts")?,
        "timestamps" => config.tcp.timestamps = value != "0",
        "initial_window" => config.tcp.initial_window = number(value)?,
        "congestion" => config.tcp.congestion = algorithm(value).ok_or("no such controller")?,
        "syn_retries" => config.tcp.syn_retries = number(value)?,
        "syn_ack_retries" => config.tcp.syn_ack_retries = number(value)?,
        "retries" => config.tcp.retransmission_limit = number(value)?,
        "fin_timeout" => config.tcp.fin_wait_2_timeout = Duration::from_secs(number(value)?),
        "min_burst" => config.socket.min_burst = number(value)?,
        "notsent_lowat" => config.socket.notsent_lowat = Some(number(value)?),
        "send_buffer" => config.socket.send_buffer = number(value)?,
        "receive_buffer" => config.socket.receive_buffer = number(value)?,
        _ => return Err("unknown flag".into()),
    }
    Ok(())
}

/// The controller that Linux calls by this name.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "cubic" => Some(Algorithm::Cubic),
        "reno" => Some(Algorithm::NewReno),
        "bbr" => Some(Algorithm::Bbr),
        _ => None,
    }
}

/// What Linux's `tcp_ecn` means by a number.
fn ecn(value: &str) -> Option<EcnMode> {
    match value {
        "0" => Some(EcnMode::Off),
        "1" => Some(EcnMode::Always),
        "2" => Some(EcnMode::OnRequest),
        _ => None,
    }
}

/// An address alone is a network of its own: packetdrill's peers are all behind the device.
fn address(text: &str) -> Result<Cidr, String> {
    let address = text.parse().map_err(|_| "not an address".to_string())?;
    Cidr::new(address, if address.is_ipv4() { 32 } else { 128 }).map_err(|error| error.to_string())
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "not a number in range".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_change_the_defaults() {
        let config = configuration("local=10.0.0.1,initial_window=2,congestion=reno,fin_timeout=5").unwrap();
        assert_eq!(config.addresses, vec![address("10.0.0.1").unwrap()]);
        assert_eq!((config.tcp.initial_window, config.tcp.congestion), (2, Algorithm::NewReno));
        assert_eq!(config.tcp.fin_wait_2_timeout, Duration::from_secs(5));
        assert_eq!(configuration("").unwrap().addresses.len(), 2, "one of each family");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(configuration("colour=red").unwrap_err().contains("colour"));
        assert!(configuration("mtu").unwrap_err().contains("name=value"));
        assert!(configuration("mtu=-1").unwrap_err().contains("number"));
    }
}
