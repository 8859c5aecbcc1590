//! The names of users and groups, for messages.

use nix::unistd::{Gid, Group, Uid, User};
use rustix::process::geteuid;

/// "www-data", or "user 4711" if the user has no name.
pub(crate) fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| user.name)
}

/// "www-data", or "group 4711" if the group has no name.
pub(crate) fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or_else(|| format!("group {gid}"), |group| group.name)
}

/// The user as an argument of `sudo -u` and `chown`: by name, or as "#4711" if the user has no name.
pub(crate) fn sudo_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("'#{uid}'"), |user| user.name)
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
