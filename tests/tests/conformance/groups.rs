//! Requirements §5.7: groups that their owners edit as documents (RFC 4825, OMA XDM Group), and groups within groups.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use restante_tests::deployment::Plan;
use restante_tests::http::{Reply, request_with};
use restante_tests::patience::{ANSWER, within};
use restante_tests::sip::fresh;
use restante_tests::{Deployment, LoopbackNet, Scene, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::fan_out::{Controlling, message, people};

const AUID: &str = "org.openmobilealliance.groups";
const MEDIA_TYPE: &str = "application/vnd.oma.poc.groups+xml";
const ELEMENT: &str = "application/xcap-el+xml";

/// A controlling edge that believes the core's host, and nobody else, who asks for documents.
async fn controlling() -> Controlling {
    started(Deployment::all()).await
}

async fn started(plan: Plan) -> Controlling {
    let proxy = format!("{}/32", plan.net().host(LoopbackNet::CORE));
    Controlling::of(Scene::start(plan.set("xcap.trusted_proxies", &proxy)).await).await
}

/// What an XDM client writes, with more in it than we read.
fn document(group: &str, members: &[&str]) -> String {
    let entries = members
        .iter()
        .map(|member| format!("<entry uri=\"{}\"/>\n", uri(member)));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- mine -->\n\
         <group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\">\n\
         <list-service uri=\"{group}\">\n<display-name xml:lang=\"en\">Friends</display-name>\n<list>\n{}</list>\n\
         <max-participant-count>7</max-participant-count>\n\
         <cp:ruleset><cp:rule id=\"a\"><cp:conditions><is-list-member/></cp:conditions>\
         <cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>\n\
         </list-service>\n</group>\n",
        entries.collect::<String>()
    )
}

/// Asks in the name of a user, as his proxy does.
struct Client<'a> {
    scene: &'a Scene,
    from: IpAddr,
    user: &'a str,
    lines: Vec<String>,
}

impl<'a> Client<'a> {
    fn of(scene: &'a Scene, user: &'a str) -> Self {
        Self {
            scene,
            from: scene.deployment.net().host(LoopbackNet::CORE),
            user,
            lines: vec![format!("X-3GPP-Asserted-Identity: \"{}\"", uri(user))],
        }
    }

    fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// What a user's document is called: not as that of an earlier run, which may still be there.
    fn path(&self) -> String {
        static NAME: LazyLock<String> = LazyLock::new(fresh);
        let name = NAME.as_str();
        format!("/{AUID}/users/{}/friends-{name}.xml", uri(self.user))
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        self.send(method, path, "", "").await
    }

    async fn put(&self, path: &str, media_type: &str, body: &str) -> Reply {
        let media_type = format!("Content-Type: {media_type}");
        self.send("PUT", path, &media_type, body).await
    }

    async fn send(&self, method: &str, path: &str, line: &str, body: &str) -> Reply {
        let to = self.scene.deployment.address("xcap.groups_listen");
        let mut lines = self.lines.clone();
        lines.extend(Some(line.to_owned()).filter(|line| !line.is_empty()));
        let answer = request_with((self.from, to), method, path, &lines, body);
        let answer = within(ANSWER, "an XCAP answer", answer).await;
        answer.expect("an answer")
    }

    /// The path of the entry of a member.
    fn entry(&self, member: &str) -> String {
        let step = format!("entry%5B@uri=%22{}%22%5D", uri(member));
        format!("{}/~~/group/list-service/list/{step}", self.path())
    }
}

/// An address that a user may give a group.
fn group_uri() -> String {
    uri(&format!("group-{}", fresh()))
}

#[tokio::test]
async fn ct_cfp_08_an_owner_writes_a_group_and_its_members_get_what_is_sent_to_it() {
    let mut cf = controlling().await;
    let people = people(2);
    let (bob, carol) = (people[0].as_str(), people[1].as_str());
    let group = group_uri();
    let written = document(&group, &["alice", bob]);
    {
        let alice = Client::of(&cf.scene, "alice");
        let made = alice.put(&alice.path(), MEDIA_TYPE, &written).await;
        assert_eq!(made.status, 201, "{made:?}");
        let read = alice.ask("GET", &alice.path()).await;
        assert_eq!((read.status, read.body), (200, written.clone()));
        assert!(read.head.contains(MEDIA_TYPE));
    }
    cf.accepted(&message(&group)).await;
    cf.take(bob, "200 OK").await;
    {
        let alice = Client::of(&cf.scene, "alice");
        let new = format!("<entry uri=\"{}\"/>", uri(carol));
        let added = alice.put(&alice.entry(carol), ELEMENT, &new).await;
        assert_eq!(added.status, 201, "{added:?}");
        let again = alice.put(&alice.entry(carol), ELEMENT, &new).await;
        assert_eq!(again.status, 200, "{again:?}");
        let removed = alice.ask("DELETE", &alice.entry(bob)).await;
        assert_eq!(removed.status, 200, "{removed:?}");
        let read = alice.ask("GET", &alice.path()).await;
        let old = format!("<entry uri=\"{}\"/>", uri(bob));
        let expected = written
            .replace("\n</list>", &format!("{new}\n</list>"))
            .replace(&old, "");
        assert_eq!(read.body, expected, "all else is as it was written");
    }
    cf.accepted(&message(&group)).await;
    cf.take(carol, "200 OK").await;
    cf.fence().await;
    assert_eq!(cf.further(bob), 0);
    let alice = Client::of(&cf.scene, "alice");
    assert_eq!(alice.ask("DELETE", &alice.path()).await.status, 200);
    assert_eq!(alice.ask("GET", &alice.path()).await.status, 404);
    assert_eq!(cf.status(&message(&group)).await, 404);
}

#[tokio::test]
async fn ct_cfp_08_parts_of_a_group_are_read_and_changed() {
    let cf = controlling().await;
    let alice = Client::of(&cf.scene, "alice");
    let group = group_uri();
    alice
        .put(
            &alice.path(),
            MEDIA_TYPE,
            &document(&group, &["alice", "bob"]),
        )
        .await;
    let node = |steps: &str| format!("{}/~~/group/list-service/{steps}", alice.path());
    let name = alice.ask("GET", &node("display-name")).await;
    let expected = "<display-name xml:lang=\"en\">Friends</display-name>";
    assert_eq!((name.status, name.body.as_str()), (200, expected));
    assert_eq!(name.field("Content-Type"), ELEMENT);
    let second = alice.ask("GET", &node("list/entry%5B2%5D/@uri")).await;
    assert_eq!(second.body, uri("bob"));
    assert_eq!(second.field("Content-Type"), "application/xcap-att+xml");
    let attribute = node("list/entry%5B2%5D/@uri");
    let put = alice
        .put(&attribute, "application/xcap-att+xml", &uri("carol"))
        .await;
    assert_eq!(put.status, 200, "{put:?}");
    let rule = node("cp:ruleset/cp:rule%5B@id=%22a%22%5D/cp:actions/allow-anonymity");
    let rule = format!("{rule}?xmlns(cp=urn:ietf:params:xml:ns:common-policy)");
    let allowed = "<allow-anonymity>true</allow-anonymity>";
    assert_eq!(alice.put(&rule, ELEMENT, allowed).await.status, 201);
    let anonymous = cf.scene.operator.group(&group).await;
    assert!(anonymous.allow_anonymity);
    let members: Vec<_> = anonymous
        .members
        .into_iter()
        .map(|member| member.uri)
        .collect();
    assert_eq!(members, [uri("alice"), uri("carol")]);
    let namespaces = alice.ask("GET", &node("namespace::*")).await;
    assert_eq!(namespaces.status, 200);
    let index = alice.ask("GET", "/xcap-caps/global/index").await;
    assert_eq!(index.status, 200);
    assert!(
        index.body.contains(&format!("<auid>{AUID}</auid>")),
        "{index:?}"
    );
}

#[tokio::test]
async fn ct_cfp_08_what_operators_change_is_seen_in_the_document() {
    let cf = controlling().await;
    let alice = Client::of(&cf.scene, "alice");
    let group = group_uri();
    let made = alice
        .put(&alice.path(), MEDIA_TYPE, &document(&group, &["alice"]))
        .await;
    cf.scene.operator.add_member(&group, &uri("dave")).await;
    let read = alice.ask("GET", &alice.path()).await;
    assert!(
        read.body
            .contains(&format!("<entry uri=\"{}\"/>", uri("dave"))),
        "{read:?}"
    );
    assert!(read.body.contains("<max-participant-count>7<"), "{read:?}");
    assert_ne!(read.field("ETag"), made.field("ETag"));
    let stale = Client::of(&cf.scene, "alice").with(&format!("If-Match: {}", made.field("ETag")));
    let refused = stale.ask("DELETE", &stale.entry("dave")).await;
    assert_eq!(refused.status, 412, "{refused:?}");
    let given = cf
        .group(&["alice"], |group| group.owner = uri("alice"))
        .await;
    let path = format!("/{AUID}/users/{}/{given}", uri("alice"));
    let read = alice.ask("GET", &path).await;
    assert_eq!(
        read.status, 200,
        "a group that operators made has a document"
    );
    assert!(read.body.contains(&format!("uri=\"{given}\"")), "{read:?}");
    let written = alice
        .put(&path, MEDIA_TYPE, &document(&given, &["bob"]))
        .await;
    assert_eq!(written.status, 200, "{written:?}");
}

#[tokio::test]
async fn ct_cfp_08_changes_are_bound_to_what_the_writer_has_seen() {
    let cf = controlling().await;
    let group = group_uri();
    let written = document(&group, &["alice"]);
    let new = Client::of(&cf.scene, "alice").with("If-None-Match: *");
    let none = Client::of(&cf.scene, "alice").with("If-Match: *");
    let path = new.path();
    assert_eq!(none.put(&path, MEDIA_TYPE, &written).await.status, 412);
    let made = new.put(&path, MEDIA_TYPE, &written).await;
    assert_eq!(made.status, 201);
    assert_eq!(new.put(&path, MEDIA_TYPE, &written).await.status, 412);
    let entry = format!("<entry uri=\"{}\"/>", uri("bob"));
    assert_eq!(
        none.put(&none.entry("bob"), ELEMENT, &entry).await.status,
        412
    );
    assert_eq!(
        new.put(&new.entry("bob"), ELEMENT, &entry).await.status,
        201
    );
    assert_eq!(
        new.put(&new.entry("bob"), ELEMENT, &entry).await.status,
        412
    );
    let seen = Client::of(&cf.scene, "alice").with(&format!("If-Match: {}", made.field("ETag")));
    assert_eq!(seen.put(&path, MEDIA_TYPE, &written).await.status, 412);
    assert_eq!(seen.ask("DELETE", &path).await.status, 412);
    let read = Client::of(&cf.scene, "alice").ask("GET", &path).await;
    let known = format!("If-None-Match: {}", read.field("ETag"));
    let known = Client::of(&cf.scene, "alice")
        .with(&known)
        .ask("GET", &path)
        .await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let now = Client::of(&cf.scene, "alice").with(&format!("If-Match: {}", read.field("ETag")));
    assert_eq!(now.ask("DELETE", &path).await.status, 200);
}

#[tokio::test]
async fn ct_cfp_08_what_would_leave_no_group_is_refused_and_why() {
    let cf = controlling().await;
    let alice = Client::of(&cf.scene, "alice");
    let group = group_uri();
    let good = document(&group, &["alice", "bob"]);
    assert_eq!(
        alice.put(&alice.path(), MEDIA_TYPE, &good).await.status,
        201
    );
    let many: String = (0..11_000)
        .map(|n| format!("<entry uri=\"sip:u{n}@example.org\"/>"))
        .collect();
    let bomb = "<!DOCTYPE g [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><group>&b;</group>";
    let documents = [
        ("<group>".to_owned(), "not-well-formed"),
        (bomb.to_owned(), "not-well-formed"),
        ("<group/>".to_owned(), "schema-validation-error"),
        (
            good.replace("<list>", &format!("<list>{many}")),
            "constraint-failure",
        ),
        (
            good.replace("<is-list-member/>", "<cp:sphere value=\"x\"/>"),
            "constraint-failure",
        ),
        (
            good.replace("<list>", "<list><external anchor=\"x\"/>"),
            "constraint-failure",
        ),
        (
            document(&group, &["nobody@elsewhere"])
                .replace("nobody@elsewhere@example.org", "a@elsewhere.org"),
            "constraint-failure",
        ),
        (document(&group_uri(), &["alice"]), "constraint-failure"),
    ];
    for (text, element) in documents {
        let refused = alice.put(&alice.path(), MEDIA_TYPE, &text).await;
        assert_eq!(refused.status, 409, "{element}");
        assert_eq!(refused.field("Content-Type"), "application/xcap-error+xml");
        assert!(refused.body.contains(&format!("<{element}")), "{refused:?}");
    }
    let node = |steps: &str| format!("{}/~~/group/list-service/{steps}", alice.path());
    let nodes = [
        (
            node("none/entry"),
            "<entry uri=\"sip:a@example.org\"/>",
            "no-parent",
        ),
        (
            node("list/entry"),
            "<entry uri=\"sip:a@example.org\"/>",
            "cannot-insert",
        ),
        (
            node("list/entry%5B9%5D"),
            "<entry uri=\"sip:a@example.org\"/>",
            "cannot-insert",
        ),
        (
            node("list/entry%5B3%5D"),
            "<entry/>",
            "schema-validation-error",
        ),
        (node("list/entry%5B3%5D"), "</list><list>", "not-xml-frag"),
    ];
    for (path, new, element) in nodes {
        let refused = alice.put(&path, ELEMENT, new).await;
        assert_eq!(refused.status, 409, "{path} {new}");
        assert!(refused.body.contains(&format!("<{element}")), "{refused:?}");
    }
    let first = alice.ask("DELETE", &node("list/entry%5B1%5D")).await;
    assert_eq!(first.status, 409, "the next one would be the first then");
    assert!(first.body.contains("<cannot-delete/>"), "{first:?}");
    assert_eq!(
        alice.ask("DELETE", &node("list/entry%5B9%5D")).await.status,
        404
    );
    let read = alice.ask("GET", &alice.path()).await;
    assert_eq!(read.body, good, "nothing of it was done");
}

#[tokio::test]
async fn ct_cfp_08_an_owner_makes_no_more_groups_than_he_may() {
    let cf = started(Deployment::all().set("cf.groups_per_owner", "1")).await;
    let alice = Client::of(&cf.scene, "alice");
    let written = document(&group_uri(), &["alice"]);
    let first = alice.put(&alice.path(), MEDIA_TYPE, &written).await;
    assert_eq!(first.status, 201);
    let (path, another) = (
        alice.path().replace("friends", "others"),
        document(&group_uri(), &["alice"]),
    );
    let refused = alice.put(&path, MEDIA_TYPE, &another).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused.body.contains("too many groups"),
        "it says why: {refused:?}"
    );
    let changed = alice.put(&alice.path(), MEDIA_TYPE, &written).await;
    assert_eq!(changed.status, 200, "what is there is changed as ever");
    assert_eq!(alice.ask("DELETE", &alice.path()).await.status, 200);
    let made = alice.put(&path, MEDIA_TYPE, &another).await;
    assert_eq!(made.status, 201, "there is room again");
}

#[tokio::test]
async fn ct_cfp_08_a_group_is_its_owners_alone() {
    let cf = controlling().await;
    let (alice, bob) = (Client::of(&cf.scene, "alice"), Client::of(&cf.scene, "bob"));
    let group = group_uri();
    let written = document(&group, &["alice"]);
    assert_eq!(
        alice.put(&alice.path(), MEDIA_TYPE, &written).await.status,
        201
    );
    let of_operators = cf.group(&["alice"], |_| ()).await;
    for taken in [&group, &of_operators] {
        let refused = bob
            .put(&bob.path(), MEDIA_TYPE, &document(taken, &["bob"]))
            .await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert!(refused.body.contains("<uniqueness-failure>"), "{refused:?}");
    }
    let second = alice.path().replace("friends", "others");
    let refused = alice.put(&second, MEDIA_TYPE, &written).await;
    assert!(refused.body.contains("<uniqueness-failure>"), "{refused:?}");
    for user in ["carol", "im-store"] {
        let refused = bob
            .put(&bob.path(), MEDIA_TYPE, &document(&uri(user), &["bob"]))
            .await;
        assert_eq!(refused.status, 409, "a user's address");
        assert!(refused.body.contains("<constraint-failure"), "{refused:?}");
    }
    for method in ["GET", "DELETE"] {
        assert_eq!(bob.ask(method, &alice.path()).await.status, 404);
    }
    assert_eq!(
        bob.put(&alice.path(), MEDIA_TYPE, &written).await.status,
        404
    );
    let mut nobody = Client::of(&cf.scene, "alice");
    nobody.lines.clear();
    assert_eq!(nobody.ask("GET", &nobody.path()).await.status, 403);
    let mut stranger = Client::of(&cf.scene, "alice");
    stranger.from = cf.scene.deployment.net().host(LoopbackNet::SERVER);
    assert_eq!(stranger.ask("GET", &stranger.path()).await.status, 403);
    let other = alice.put(&alice.path(), "application/xml", &written).await;
    assert_eq!(other.status, 415);
    let announced = alice
        .with("Content-Length: 23000000")
        .with("Expect: 100-continue");
    let large = announced.put(&announced.path(), MEDIA_TYPE, "").await;
    assert_eq!(large.status, 413, "a million entries are not read");
    let post = announced.ask("POST", &announced.path()).await;
    assert_eq!(
        (post.status, post.field("Allow")),
        (405, "GET, HEAD, PUT, DELETE")
    );
}

#[tokio::test]
async fn ct_cfp_21_groups_that_contain_each_other_write_to_people_only() {
    let mut cf = controlling().await;
    let (bob, carol) = (format!("bob-{}", fresh()), format!("carol-{}", fresh()));
    let inner = cf.group(&["alice", &carol], |_| ()).await;
    let name = inner
        .strip_prefix("sip:")
        .and_then(|rest| rest.split('@').next());
    let name = name.expect("a user part").to_owned();
    let outer = cf.group(&["alice", &name, &bob], |_| ()).await;
    cf.scene.operator.add_member(&inner, &outer).await;
    for (group, member) in [(&outer, &bob), (&inner, &carol)] {
        cf.accepted(&message(group)).await;
        cf.take(member, "200 OK").await;
    }
    cf.fence().await;
    for group in [outer, inner] {
        let of_a_group = format!("MESSAGE {group} SIP/2.0");
        let copies = cf.scene.core.count(|text| text.start_line() == of_a_group);
        assert_eq!(copies, 0, "{group}");
    }
    assert_eq!((cf.further(&bob), cf.further(&carol)), (0, 0));
}

/// An XDMS that has this one group, and says so to each that asks; ends with the task.
async fn xdms(net: LoopbackNet, group: String, document: String) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(net.any_port(LoopbackNet::SERVER)).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let wanted = format!("GET /groups/{group} HTTP/1.1");
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("open");
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.expect("a request");
            let request = String::from_utf8_lossy(&head[..length]).into_owned();
            let (status, body) = match request.starts_with(&wanted) {
                true => ("200 OK", document.as_str()),
                false => ("404 Not Found", ""),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.expect("open");
            stream.shutdown().await.expect("open");
        }
    });
    (address, serving)
}

#[tokio::test]
async fn ct_cfp_08_09_members_come_from_another_server_or_nothing_is_sent() {
    let plan = Deployment::all();
    let (group, people) = (group_uri(), people(1));
    let bob = people[0].as_str();
    let document = document(&group, &["alice", bob]);
    let (address, serving) = xdms(plan.net(), group.clone(), document).await;
    let plan = plan
        .set("cf.xdms", "http")
        .set("xdms.root", &format!("http://{address}/groups"))
        .set("xdms.max_age", "0s");
    let mut cf = Controlling::of(Scene::start(plan).await).await;
    cf.accepted(&message(&group)).await;
    cf.take(bob, "200 OK").await;
    assert_eq!(cf.status(&message(&group_uri())).await, 404);
    serving.abort();
    drop(serving.await);
    let response = cf.call(&message(&group)).await.response;
    assert_eq!(response.status(), Some(500), "{response}");
    assert!(response.find("Retry-After").is_some(), "{response}");
    cf.fence().await;
    assert_eq!(cf.further(bob), 0);
}
