//! Whose a data folder is. Files that another user leaves there, root above all, are files that the service cannot open.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::open_error::OpenError;

const USERS: &str = "/etc/passwd";

/// Refuses a folder of another user than the effective one of this process.
pub(super) fn refuse_other(folder: &Path) -> Result<(), OpenError> {
    refuse(folder, rustix::process::geteuid().as_raw())
}

fn refuse(folder: &Path, effective: u32) -> Result<(), OpenError> {
    let about = fs::metadata(folder).map_err(|source| OpenError::Unwritable {
        folder: folder.to_owned(),
        source,
    })?;
    if about.uid() == effective {
        return Ok(());
    }
    // Without the list of users there are still their numbers.
    let users = fs::read_to_string(USERS).unwrap_or_default();
    Err(OpenError::OtherOwner {
        folder: folder.to_owned(),
        command: command(&users, (about.uid(), about.gid())),
    })
}

/// How to run something as this user and group.
fn command(users: &str, (user, group): (u32, u32)) -> String {
    match name(users, user) {
        Some(name) => format!("runuser -u {name} --"),
        None => format!("setpriv --reuid {user} --regid {group} --clear-groups"),
    }
}

/// The name of a user: `users` has a line `name:password:number:…` for each.
fn name(users: &str, user: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(user)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_user_is_refused_with_the_command_to_be_him() {
        let folder = tempfile::tempdir().expect("there is place");
        let owner = fs::metadata(folder.path()).expect("it is there").uid();
        refuse(folder.path(), owner).expect("it is ours");
        let refused = refuse(folder.path(), owner + 1).expect_err("it is another's");
        let sentence = refused.to_string();
        assert!(sentence.contains("run it as that user"), "{sentence}");
        assert!(sentence.contains("restante storage"), "{sentence}");
        let users =
            "root:x:0:0:root:/root:/bin/bash\nrestante:x:998:997::/var/lib/restante:/bin/false\n";
        assert_eq!(command(users, (998, 997)), "runuser -u restante --");
        let unnamed = "setpriv --reuid 1000 --regid 997 --clear-groups";
        assert_eq!(command(users, (1_000, 997)), unnamed);
    }
}
