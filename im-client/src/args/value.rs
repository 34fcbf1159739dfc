//! Values with units.

use std::time::Duration;

use sip::StatusCode;
use xcap::poc_settings::Setting;

/// A number with a unit: ms, s, m, h or d.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text);
    let wrong = || {
        format!(
            "'{text}' is no time: write a number with a unit, such as 500ms, 30s, 5m, 12h or 7d"
        )
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// A number of octets, with or without KiB, MiB or GiB.
pub(crate) fn octets(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text);
    let wrong = || {
        format!(
            "'{text}' is no size: write octets, or a number with KiB, MiB or GiB, such as 256KiB"
        )
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let octets = number.checked_mul(factor).ok_or_else(wrong)?;
    if octets == 0 {
        Err(wrong())
    } else {
        Ok(octets)
    }
}

/// A setting and what it shall be.
pub(crate) fn setting(text: &str) -> Result<(Setting, bool), String> {
    let wrong = || {
        let names = Setting::ALL.map(Setting::name).join(", ");
        format!("'{text}' is no setting: write SETTING=on or SETTING=off; settings are {names}")
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let setting = Setting::named(name).ok_or_else(wrong)?;
    match value {
        "on" => Ok((setting, true)),
        "off" => Ok((setting, false)),
        _ => Err(wrong()),
    }
}

/// A status that refuses.
pub(crate) fn refusal(text: &str) -> Result<StatusCode, String> {
    let status = text
        .parse()
        .ok()
        .and_then(|code: u16| StatusCode::new(code));
    status
        .filter(|status| status.is_final() && !status.is_success())
        .ok_or_else(|| format!("'{text}' refuses nothing: write a status from 300 to 699"))
}

/// A number that is not zero.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("'{text}' is no number from 1 on"))
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let split = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_may_have_a_unit() {
        assert_eq!(octets("2048"), Ok(2048));
        assert_eq!(octets("256KiB"), Ok(256 << 10));
        assert_eq!(octets("1GiB"), Ok(1 << 30));
        for wrong in ["", "0", "KiB", "1kb", "1 MiB", "18446744073709551615GiB"] {
            assert!(octets(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_refuses_is_a_refusal() {
        assert_eq!(refusal("486").map(StatusCode::code), Ok(486));
        for wrong in ["", "200", "180", "99", "700", "busy"] {
            assert!(refusal(wrong).is_err(), "{wrong}");
        }
    }
}
