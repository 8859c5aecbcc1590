//! The names of users and groups, for messages.

use std::ffi::OsStr;

use rustix::process::geteuid;

/// "www-data", or "user 4711" if the user has no name.
pub(crate) fn user_name(uid: u32) -> String {
    name_of(uid).unwrap_or_else(|| format!("user {uid}"))
}

/// "www-data", or "group 4711" if the group has no name.
pub(crate) fn group_name(gid: u32) -> String {
    let group = uzers::get_group_by_gid(gid);
    group.map_or_else(|| format!("group {gid}"), |group| shown(group.name()))
}

/// The user as an argument of `sudo -u` and `chown`: by name, or as "#4711" if the user has no name.
pub(crate) fn sudo_name(uid: u32) -> String {
    name_of(uid).unwrap_or_else(|| format!("'#{uid}'"))
}

fn name_of(uid: u32) -> Option<String> {
    uzers::get_user_by_uid(uid).map(|user| shown(user.name()))
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The user that this process runs as.
pub(crate) fn this_user() -> u32 {
    geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_is_named_and_a_user_without_a_name_keeps_the_number() {
        assert_eq!(user_name(0), "root");
        assert_eq!(sudo_name(0), "root");
        assert_eq!(group_name(0), "root");
        assert_eq!(user_name(4_000_000_001), "user 4000000001");
        assert_eq!(sudo_name(4_000_000_001), "'#4000000001'");
        assert_eq!(group_name(4_000_000_001), "group 4000000001");
    }
}
