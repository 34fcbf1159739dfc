//! Which role each method needs: the one place that says so. What is not here nobody may call.

use super::Role;

/// What edges call, at the data listener.
const FOR_EDGES: [&str; 31] = [
    "/restante.v1.DepositService/Exchange",
    "/restante.v1.LargeMessageService/Admit",
    "/restante.v1.LargeMessageService/AdmitJob",
    "/restante.v1.LargeMessageService/Upload",
    "/restante.v1.LargeMessageService/ReadPart",
    "/restante.v1.LargeMessageService/AddSenderBye",
    "/restante.v1.DeliveryService/Attach",
    "/restante.v1.DeliveryService/TakeMessages",
    "/restante.v1.DeliveryService/ClaimForward",
    "/restante.v1.DeliveryService/Release",
    "/restante.v1.RegistrationService/Register",
    "/restante.v1.SettingsService/PublishSettings",
    "/restante.v1.SubscriptionService/Subscribe",
    "/restante.v1.SubscriptionService/Unsubscribe",
    "/restante.v1.SubscriptionService/Renumber",
    "/restante.v1.SubscriptionService/ReadWaiting",
    "/restante.v1.SubscriptionService/Notify",
    "/restante.v1.DeferredService/ListDeferred",
    "/restante.v1.DeferredService/DeleteDeferred",
    "/restante.v1.DeferredService/ClaimDeferred",
    "/restante.v1.FanOutService/LookUpGroup",
    "/restante.v1.FanOutService/WhichAreGroups",
    "/restante.v1.FanOutService/GetGroupDocument",
    "/restante.v1.FanOutService/PutGroup",
    "/restante.v1.FanOutService/RemoveGroup",
    "/restante.v1.FanOutService/AcceptJob",
    "/restante.v1.FanOutService/ReadJobContent",
    "/restante.v1.FanOutService/AttachFanOut",
    "/restante.v1.ReportService/ClaimReports",
    "/restante.v1.ReportService/SettleReports",
    "/restante.v1.ControlService/AttachControl",
];

/// Questions of operators, which return no contents.
const FOR_READERS: [&str; 24] = [
    "/restante.v1.MailboxService/ListMessages",
    "/restante.v1.MailboxService/GetMessage",
    "/restante.v1.MailboxService/GetMailbox",
    "/restante.v1.MailboxService/ExportDeferredList",
    "/restante.v1.OperatorService/GetStatus",
    "/restante.v1.OperatorService/ListSuspensions",
    "/restante.v1.OperatorService/GetDeliveryPlan",
    "/restante.v1.OperatorService/ListSessions",
    "/restante.v1.AccountService/ListAccounts",
    "/restante.v1.SettingsAdminService/GetSettings",
    "/restante.v1.SettingsAdminService/ForeseeSettings",
    "/restante.v1.WaitingService/ListSubscriptions",
    "/restante.v1.WaitingService/WatchMailbox",
    "/restante.v1.GroupService/GetGroup",
    "/restante.v1.GroupService/ListGroups",
    "/restante.v1.JobService/ListJobs",
    "/restante.v1.JobService/GetJob",
    "/restante.v1.JobService/ListLegs",
    "/restante.v1.EventService/WatchEvents",
    "/restante.v1.ConsoleService/CreateSignIn",
    "/restante.v1.KeyService/GetKeys",
    "/restante.v1.MaintenanceService/ListBackups",
    "/restante.v1.ProcessService/GetLogFilters",
    "/restante.v1.ProcessService/GetConfigurations",
];

/// Contents of messages.
const FOR_BODY_READERS: [&str; 1] = ["/restante.v1.MailboxService/ReadContent"];

/// Changes.
const FOR_OPERATORS: [&str; 30] = [
    "/restante.v1.OperatorService/PushMailbox",
    "/restante.v1.OperatorService/RedeliverMessage",
    "/restante.v1.OperatorService/HoldMessage",
    "/restante.v1.OperatorService/UnholdMessage",
    "/restante.v1.OperatorService/ExpireMessage",
    "/restante.v1.OperatorService/DeleteMessage",
    "/restante.v1.OperatorService/RecallMessage",
    "/restante.v1.OperatorService/SuspendDeliveries",
    "/restante.v1.OperatorService/CancelSuspension",
    "/restante.v1.AccountService/CreateAccount",
    "/restante.v1.AccountService/DeleteAccount",
    "/restante.v1.AccountService/EraseAccount",
    "/restante.v1.KeyService/RotateKeys",
    "/restante.v1.MaintenanceService/MakeBackup",
    "/restante.v1.MaintenanceService/CheckStore",
    "/restante.v1.MaintenanceService/CompactStore",
    "/restante.v1.ProcessService/ChangeLogFilters",
    "/restante.v1.ProcessService/ReloadConfigurations",
    "/restante.v1.AccountService/AddAlias",
    "/restante.v1.AccountService/RemoveAlias",
    "/restante.v1.SettingsAdminService/PresetSettings",
    "/restante.v1.SettingsAdminService/OverrideSettings",
    "/restante.v1.SettingsAdminService/ClearSettings",
    "/restante.v1.GroupService/CreateGroup",
    "/restante.v1.GroupService/UpdateGroup",
    "/restante.v1.GroupService/DeleteGroup",
    "/restante.v1.GroupService/AddMembers",
    "/restante.v1.GroupService/RemoveMembers",
    "/restante.v1.JobService/CancelJob",
    "/restante.v1.ImportService/ImportMessages",
];

/// Whether the service is well, and what it offers.
const FOR_EVERYBODY: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What gives somebody roles elsewhere, and is told of in the audit log though whoever may look may call it.
const GIVES_ROLES: &str = "/restante.v1.ConsoleService/CreateSignIn";

/// What a method needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// A good certificate.
    Nothing,
    /// This role.
    Role(Role),
}

/// What operators call, by its name in the contract; none for what others call.
pub(super) fn of_operators(path: &str) -> Option<&'static str> {
    let lists: [&[&'static str]; 3] = [&FOR_READERS, &FOR_BODY_READERS, &FOR_OPERATORS];
    let mut all = lists.into_iter().flatten();
    let known = all.find(|known| **known == path)?;
    known.rsplit_once('/').map(|(_, method)| method)
}

/// Whether calls of the method with this path, which needs this role, are told of in the audit log and carried out to
/// their end.
pub(super) fn is_told(path: &str, role: Role) -> bool {
    matches!(role, Role::Operator | Role::BodyReader) || path == GIVES_ROLES
}

/// What the method with this path needs; none if there is no such method.
pub(super) fn needed(path: &str) -> Option<Needed> {
    let lists: [(&[&str], Needed); 5] = [
        (&FOR_EDGES, Needed::Role(Role::Edge)),
        (&FOR_READERS, Needed::Role(Role::Reader)),
        (&FOR_BODY_READERS, Needed::Role(Role::BodyReader)),
        (&FOR_OPERATORS, Needed::Role(Role::Operator)),
        (&FOR_EVERYBODY, Needed::Nothing),
    ];
    let found = lists.into_iter().find(|(paths, _)| paths.contains(&path));
    found.map(|(_, needed)| needed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// The paths of all methods in an encoded set of descriptors.
    fn paths(encoded: &[u8]) -> BTreeSet<String> {
        let set = FileDescriptorSet::decode(encoded).expect("descriptors");
        let mut paths = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                let methods = service.method.iter().map(|method| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                });
                paths.extend(methods);
            }
        }
        paths
    }

    fn listed() -> Vec<&'static str> {
        let lists: [&[&str]; 4] = [&FOR_EDGES, &FOR_READERS, &FOR_BODY_READERS, &FOR_OPERATORS];
        lists.concat()
    }

    #[test]
    fn every_method_of_the_contract_needs_a_role_and_is_listed_once() {
        let mut listed = listed();
        listed.sort_unstable();
        let contract = paths(proto::DESCRIPTOR_SET);
        let contract: Vec<_> = contract.iter().map(String::as_str).collect();
        assert_eq!(listed, contract);
    }

    #[test]
    fn changes_readings_of_contents_and_sign_ins_are_told() {
        let is_told = |path: &&str| match needed(path) {
            Some(Needed::Role(role)) => is_told(path, role),
            _ => false,
        };
        let told: Vec<_> = listed().into_iter().filter(is_told).collect();
        let expected: BTreeSet<_> = FOR_BODY_READERS
            .into_iter()
            .chain(FOR_OPERATORS)
            .chain([GIVES_ROLES])
            .collect();
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
        assert!(FOR_READERS.contains(&GIVES_ROLES));
    }

    #[test]
    fn health_and_reflection_are_for_everybody() {
        let health = paths(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let reflection = paths(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET);
        let alpha = paths(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
        let all: BTreeSet<_> = health.into_iter().chain(reflection).chain(alpha).collect();
        let expected: BTreeSet<_> = FOR_EVERYBODY.into_iter().map(str::to_owned).collect();
        assert_eq!(all, expected);
        assert!(all.iter().all(|path| needed(path) == Some(Needed::Nothing)));
    }

    #[test]
    fn calls_of_operators_are_known_by_their_names() {
        let name = |path| of_operators(path);
        assert_eq!(name("/restante.v1.JobService/CancelJob"), Some("CancelJob"));
        assert_eq!(
            name("/restante.v1.MailboxService/ReadContent"),
            Some("ReadContent")
        );
        assert_eq!(name("/restante.v1.DepositService/Exchange"), None);
        assert_eq!(name("/grpc.health.v1.Health/Check"), None);
    }

    #[test]
    fn what_is_not_listed_is_no_method() {
        for path in [
            "",
            "/",
            "/restante.v1.MailboxService/",
            "/restante.v1.MailboxService/New",
        ] {
            assert_eq!(needed(path), None, "{path}");
        }
    }
}
