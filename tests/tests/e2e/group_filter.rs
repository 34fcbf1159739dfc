//! Copies of messages to a group are found by it, wherever messages are looked for; nothing else is.

use std::collections::BTreeSet;

use proto::v1::{Group, GroupMember};
use restante_tests::deployment::SecondEdge;
use restante_tests::msrp::Sender;
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::{RequestText, SipPeer, Transport, Way, example, fresh};
use restante_tests::{Deployment, LoopbackNet, uri};
use serde_json::Value;

const OCTETS: usize = 20_480;

/// Both edges, and Alice, who writes to members that are away.
struct Stage {
    deployment: Deployment,
    _controlling: SecondEdge,
    core: SipPeer,
    to_many: Way,
    to_one: Way,
}

impl Stage {
    async fn build() -> Self {
        let deployment = Deployment::two_processes()
            .set("msrp.allow_networks", "127.0.0.0/8")
            .start()
            .await;
        let controlling = deployment.controlling_edge().await;
        let core = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
        Self {
            to_many: core.way(Transport::Tcp, controlling.tcp).await,
            to_one: core
                .way(Transport::Tcp, deployment.edge(Transport::Tcp))
                .await,
            deployment,
            _controlling: controlling,
            core,
        }
    }

    async fn group(&self, members: &[String]) -> String {
        let everybody = members.iter().map(|user| uri(user));
        let everybody = everybody.chain([example::ALICE.to_owned()]);
        let group = Group {
            uri: uri(&format!("team-{}", fresh())),
            members: everybody
                .map(|uri| GroupMember {
                    uri,
                    display_name: String::new(),
                })
                .collect(),
            ..Group::default()
        };
        self.deployment.operator().create_group(group).await.uri
    }

    async fn send(&mut self, request: &RequestText, way: Way) {
        let answer = self.core.call(&way, request).await.response;
        assert_eq!(answer.status(), Some(202), "{answer}");
    }

    async fn send_large(&mut self, group: &str) {
        let sender = Sender::new(&self.core, "nobody").await;
        let invite = sender
            .offer(&format!("a=sendonly\r\na=filelength:{OCTETS}\r\n"))
            .start_line(&format!("INVITE {group} SIP/2.0"))
            .set("To", &format!("<{group}>"))
            .without("P-Served-User")
            .without("Route");
        let mut upload = sender
            .accepted(&mut self.core, &self.to_many, &invite)
            .await;
        upload.connect(&self.core).await;
        upload.send_whole(&[b'x'; OCTETS]).await;
        assert_eq!(upload.bye(&mut self.core).await, 200);
    }

    /// What a command says of messages.
    async fn said(&self, command: &[&str]) -> Vec<Value> {
        self.deployment.restantectl(command).await.done().records()
    }
}

/// A MESSAGE of Alice to a group.
fn to_group(group: &str) -> RequestText {
    example::message("nobody")
        .start_line(&format!("MESSAGE {group} SIP/2.0"))
        .set("To", &format!("<{group}>"))
        .without("P-Served-User")
        .without("Route")
}

fn text_of(records: &[Value], field: &str) -> BTreeSet<String> {
    let texts = records.iter().map(|record| record[field].as_str());
    texts
        .map(|text| text.unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn copies_are_found_by_their_group_and_nothing_else_is() {
    let mut stage = Stage::build().await;
    let members = [fresh(), fresh()];
    let (group, other) = (stage.group(&members).await, stage.group(&members).await);
    let (to_one, to_many) = (stage.to_one.clone(), stage.to_many.clone());
    stage
        .send(&example::message(&members[0]), to_one.clone())
        .await;
    stage.send(&to_group(&other), to_many.clone()).await;
    stage.send(&to_group(&group), to_many).await;
    stage.send_large(&group).await;
    let list = ["list", "--group", &group];
    let look = async || {
        let records = stage.said(&list).await;
        (records.len() == 4).then_some(records)
    };
    let copies = eventually(ANSWER, "the copies", look).await;
    assert_eq!(text_of(&copies, "group"), BTreeSet::from([group.clone()]));
    let users = members.iter().map(|user| uri(user)).collect();
    assert_eq!(text_of(&copies, "served_user"), users);
    let classes = ["large", "pager"].map(str::to_owned);
    assert_eq!(text_of(&copies, "class"), BTreeSet::from(classes));
    // Under the name of a copy, but of no controlling edge.
    let copy = copies.iter().find(|copy| copy["class"] == "pager");
    let copy = copy.expect("a pager message");
    let call_id = copy["headers"]["call_id"].as_str().expect("a Call-ID");
    let forged = example::message(&members[1]).set("Call-ID", call_id);
    stage.send(&forged, to_one).await;
    assert_eq!(stage.said(&list).await.len(), 4);
    let held = stage.said(&["hold", "--group", &group, "--yes"]).await;
    assert_eq!(held.len(), 4);
    let held = stage.said(&["list", "--state", "held"]).await;
    assert_eq!(text_of(&held, "message_id"), text_of(&copies, "message_id"));
    let id = copy["message_id"].as_str().expect("a Message-ID");
    let shown = stage.said(&["show", id]).await;
    assert_eq!(shown[0]["group"], group);
}
