//! A test of each exchange in a folder of `tests/fixtures`.

use std::collections::BTreeSet;
use std::path::Path;

/// Tests with the names of the files in a folder, and `FILES` with those names.
macro_rules! replayed {
    ($folder:literal: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let mut scene = restante_tests::Scene::all().await;
                restante_tests::replay::replay(&mut scene, concat!($folder, "/", stringify!($name))).await;
            }
        )+

        const FILES: &[&str] = &[$(stringify!($name)),+];

        #[test]
        fn no_file_is_without_a_test() {
            super::replayed::assert_all_are_played($folder, FILES);
        }
    };
}

pub(super) use replayed;

/// That these are the files in a folder.
pub(super) fn assert_all_are_played(folder: &str, names: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let entries = std::fs::read_dir(path).expect("fixtures");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let files = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let names: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), names);
}
