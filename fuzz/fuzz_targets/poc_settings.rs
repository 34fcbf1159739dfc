//! Whatever a client publishes as settings: it is refused, or what was read reads the same once written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use xcap::poc_settings::{Names, Setting, read, write};

fuzz_target!(|octets: &[u8]| {
    let names = Names::default();
    let Ok(entities) = read(octets, &names) else {
        return;
    };
    assert!((1..=16).contains(&entities.len()));
    let written = write(&entities, &names);
    let again = read(written.as_bytes(), &names).expect("we read what we write");
    for (entity, again) in entities.iter().zip(&again) {
        assert_eq!(entity.id, again.id);
        for setting in Setting::ALL {
            assert_eq!(entity.get(setting), again.get(setting));
        }
    }
});
