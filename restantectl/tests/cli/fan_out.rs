//! `group` and `job`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use proto::v1::group_service_server::GroupService;
use proto::v1::job_service_server::JobService;
use proto::v1::{
    AddMembersRequest, CancelJobRequest, CopyControl, CreateGroupRequest, DeleteGroupReply,
    DeleteGroupRequest, GetGroupRequest, GetJobRequest, Group, GroupMember, Job, JobClass, JobLeg,
    JobState, LegState, ListGroupsReply, ListGroupsRequest, ListJobsReply, ListJobsRequest,
    ListLegsReply, ListLegsRequest, RemoveMembersRequest, UpdateGroupRequest,
};
use tonic::{Request, Response, Status};

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::at;

/// Groups and jobs of the fake.
#[derive(Clone, Default)]
pub(crate) struct FanOut(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    groups: BTreeMap<String, Group>,
    jobs: Vec<Job>,
    legs: Vec<JobLeg>,
    job_lists: Vec<ListJobsRequest>,
    leg_lists: Vec<ListLegsRequest>,
    cancelled: Vec<CancelJobRequest>,
}

impl FanOut {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }

    fn started(&self) -> Fake {
        Fake::start(State {
            fan_out: self.clone(),
            ..State::default()
        })
    }

    fn change(
        &self,
        uri: &str,
        change: impl FnOnce(&mut Group),
    ) -> Result<Response<Group>, Status> {
        let mut known = self.lock();
        let group = known.groups.get_mut(uri);
        let group = group.ok_or_else(|| Status::not_found("no such group"))?;
        change(group);
        group.member_count = u32::try_from(group.members.len()).unwrap();
        group.version += 1;
        Ok(Response::new(group.clone()))
    }
}

#[tonic::async_trait]
impl GroupService for FanOut {
    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<Group>, Status> {
        let group = request.into_inner().group.unwrap();
        let uri = group.uri.clone();
        if self.lock().groups.contains_key(&uri) {
            return Err(Status::already_exists("there is such a group"));
        }
        self.lock().groups.insert(uri.clone(), group);
        self.change(&uri, |_| {})
    }

    async fn get_group(
        &self,
        request: Request<GetGroupRequest>,
    ) -> Result<Response<Group>, Status> {
        let group = self.lock().groups.get(&request.into_inner().uri).cloned();
        let group = group.ok_or_else(|| Status::not_found("no such group"))?;
        Ok(Response::new(group))
    }

    async fn list_groups(
        &self,
        request: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsReply>, Status> {
        let request = request.into_inner();
        let size = usize::try_from(request.page_size).unwrap().clamp(1, 2);
        let known = self.lock();
        let behind = known.groups.values();
        let behind = behind.filter(|group| group.uri > request.page_token);
        let page: Vec<_> = behind.take(size).cloned().collect();
        let next = page.last().filter(|_| page.len() == size);
        Ok(Response::new(ListGroupsReply {
            next_page_token: next.map_or_else(String::new, |group| group.uri.clone()),
            groups: page
                .into_iter()
                .map(|group| Group {
                    members: Vec::new(),
                    ..group
                })
                .collect(),
        }))
    }

    async fn update_group(
        &self,
        request: Request<UpdateGroupRequest>,
    ) -> Result<Response<Group>, Status> {
        let new = request.into_inner().group.unwrap();
        self.change(&new.uri.clone(), |group| *group = new)
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupReply>, Status> {
        let removed = self.lock().groups.remove(&request.into_inner().uri);
        removed.ok_or_else(|| Status::not_found("no such group"))?;
        Ok(Response::new(DeleteGroupReply {}))
    }

    async fn add_members(
        &self,
        request: Request<AddMembersRequest>,
    ) -> Result<Response<Group>, Status> {
        let request = request.into_inner();
        self.change(&request.uri, |group| group.members.extend(request.members))
    }

    async fn remove_members(
        &self,
        request: Request<RemoveMembersRequest>,
    ) -> Result<Response<Group>, Status> {
        let request = request.into_inner();
        self.change(&request.uri, |group| {
            let is_gone = |member: &GroupMember| request.members.contains(&member.uri);
            group.members.retain(|member| !is_gone(member));
        })
    }
}

#[tonic::async_trait]
impl JobService for FanOut {
    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsReply>, Status> {
        let mut known = self.lock();
        known.job_lists.push(request.into_inner());
        Ok(Response::new(ListJobsReply {
            jobs: known.jobs.clone(),
            next_page_token: String::new(),
        }))
    }

    async fn get_job(&self, _: Request<GetJobRequest>) -> Result<Response<Job>, Status> {
        Err(Status::not_found("no such job"))
    }

    async fn list_legs(
        &self,
        request: Request<ListLegsRequest>,
    ) -> Result<Response<ListLegsReply>, Status> {
        let request = request.into_inner();
        let mut known = self.lock();
        known.leg_lists.push(request.clone());
        if !known.jobs.iter().any(|job| job.job == request.job) {
            return Err(Status::not_found("no such job"));
        }
        Ok(Response::new(ListLegsReply {
            legs: known.legs.clone(),
            next_page_token: String::new(),
        }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<Job>, Status> {
        let request = request.into_inner();
        let mut known = self.lock();
        let job = known.jobs.iter().find(|job| job.job == request.job);
        let job = job.cloned();
        known.cancelled.push(request);
        match job {
            Some(job) if job.state() == JobState::Running => Ok(Response::new(Job {
                cancelling: true,
                ..job
            })),
            Some(_) => Err(Status::failed_precondition("the job has ended")),
            None => Err(Status::not_found("no such job")),
        }
    }
}

fn job(number: u64, state: JobState) -> Job {
    Job {
        job: number,
        sender: "sip:alice@example.org".to_owned(),
        addressed_to: "sip:team@example.org\u{1b}[2J".to_owned(),
        class: JobClass::Pager.into(),
        state: state.into(),
        accepted_at: at(0),
        expires_at: at(86_400),
        ended_at: None,
        received_from: "tcp 192.0.2.1:5060".to_owned(),
        reason: String::new(),
        cancelling: false,
        total: 10,
        pending: 3,
        delivered: 4,
        failed: 1,
        expired: 1,
        cancelled: 1,
        octets: 0,
    }
}

fn jobs() -> FanOut {
    let fan_out = FanOut::default();
    let mut known = fan_out.lock();
    let large = Job {
        class: JobClass::Large.into(),
        octets: 20_480,
        ..job(42, JobState::Running)
    };
    known.jobs = vec![large, job(41, JobState::Completed)];
    known.legs = vec![JobLeg {
        index: 7,
        target: "sip:bob@example.org".to_owned(),
        copy_control: CopyControl::Cc.into(),
        state: LegState::Waiting.into(),
        attempts: 2,
        status: 480,
        reason: "MESSAGE 480".to_owned(),
        edge: "cf-1".to_owned(),
        next_try_at: at(30),
        settled_at: None,
    }];
    drop(known);
    fan_out
}

#[test]
fn a_group_is_made_changed_shown_and_deleted() {
    let fan_out = FanOut::default();
    let fake = fan_out.started();
    let ran = restantectl("group create team@Example.org --disclose-members --owner alice@example.org bob@example.org +4930123456 --name")
        .arg("The team")
        .at(&fake);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.text(), "sip:team@example.org: has 2 members\n");
    let again = restantectl("group create team@example.org").at(&fake);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("there is such a group"), "{again:?}");
    let added = restantectl("group add team@example.org -")
        .input("sip:carol@example.org\nsip:dave@example.org\n")
        .at(&fake);
    assert_eq!(added.text(), "sip:team@example.org: has 4 members\n");
    let removed = restantectl("group remove team@example.org tel:+49-30-123456 -o jsonl");
    let removed = removed.at(&fake).records();
    assert_eq!(removed[0]["command"], "group remove");
    assert_eq!(removed[0]["group"]["member_count"], 3);
    for document in ["-", "friends.xml"] {
        let shown = restantectl("group show team@example.org").at(&fake);
        let line = format!("document              {document}\n");
        assert!(shown.text().contains(&line), "{shown:?}");
        let mut known = fan_out.lock();
        let team = known.groups.get_mut("sip:team@example.org");
        team.expect("it was made").document = "friends.xml".to_owned();
    }
    let shown = restantectl("group show team@example.org").at(&fake);
    let text = shown.text();
    for line in [
        "group                 sip:team@example.org",
        "name                  The team",
        "owner                 sip:alice@example.org",
        "non-members may send  no",
        "members are named     yes",
        "sip:carol@example.org",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let deleted = restantectl("group delete team@example.org").at(&fake);
    assert_eq!(deleted.text(), "sip:team@example.org: deleted\n");
    let gone = restantectl("group show team@example.org").at(&fake);
    assert_eq!(gone.code, Some(1));
}

#[test]
fn several_groups_are_deleted_with_consent_only() {
    let fan_out = FanOut::default();
    let fake = fan_out.started();
    for name in ["a", "b"] {
        restantectl(&format!("group create {name}@example.org")).at(&fake);
    }
    let ran = restantectl("group delete a@example.org b@example.org").at(&fake);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert_eq!(fan_out.lock().groups.len(), 2);
    let ran = restantectl("group delete a@example.org b@example.org --yes").at(&fake);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(fan_out.lock().groups.is_empty());
}

#[test]
fn groups_are_listed_over_pages() {
    let fan_out = FanOut::default();
    let fake = fan_out.started();
    for name in ["a", "b", "c", "d", "e"] {
        let create =
            format!("group create {name}@example.org --non-members-may-send x@example.org");
        restantectl(&create).at(&fake);
    }
    let ran = restantectl("group list").at(&fake);
    let text = ran.text();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.contains("sip:e@example.org"), "{text}");
    let page = restantectl("group list --limit 2 -o json").at(&fake).json();
    assert_eq!(page["groups"].as_array().map(Vec::len), Some(2));
    assert_eq!(page["groups"][0]["members"], serde_json::Value::Null);
    assert_eq!(page["next_page_token"], "sip:b@example.org");
}

#[test]
fn what_is_exported_can_be_imported() {
    let fan_out = FanOut::default();
    let fake = fan_out.started();
    for name in ["a", "b", "c"] {
        restantectl(&format!("group create {name}@example.org bob@example.org")).at(&fake);
    }
    let exported = restantectl("group export").at(&fake);
    assert_eq!(exported.text().lines().count(), 3);
    let before = fan_out.lock().groups.clone();
    let other = FanOut::default();
    let empty = other.started();
    let import = |input: &str| {
        restantectl("group import -")
            .input(input.as_bytes().to_vec())
            .at(&empty)
    };
    let ran = import(&exported.text());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(other.lock().groups, before);
    let again = import(&exported.text());
    assert_eq!(again.code, Some(1), "{again:?}");
    let fewer = "{\"uri\":\"a@example.org\",\"allow_anonymity\":true}\n";
    let ran = restantectl("group import - --replace")
        .input(fewer)
        .at(&empty);
    assert_eq!(ran.text(), "sip:a@example.org: has 0 members\n");
    assert!(other.lock().groups["sip:a@example.org"].allow_anonymity);
    let bad = import("{\"uri\":\"sip:z@example.org\"}\n{\"uri\":\"no address\"}\n");
    assert_eq!(bad.code, Some(65), "{bad:?}");
    assert!(bad.err.contains("line 2"), "{bad:?}");
    assert!(!other.lock().groups.contains_key("sip:z@example.org"));
}

#[test]
fn jobs_are_listed_with_their_counts() {
    let fan_out = jobs();
    let fake = fan_out.started();
    let ran = restantectl("job list --from alice@example.org --state running,expired").at(&fake);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = ran.text();
    let line = text.lines().nth(1).unwrap();
    for cell in [
        "42",
        "running",
        "large",
        "20480",
        "10",
        "3",
        "4",
        "sip:alice@example.org",
    ] {
        assert!(line.contains(cell), "{cell} in {line}");
    }
    assert!(!text.contains('\u{1b}'), "escaped");
    let asked = fan_out.lock().job_lists[0].clone();
    assert_eq!(asked.sender, "sip:alice@example.org");
    let states: [i32; 2] = [JobState::Running.into(), JobState::Expired.into()];
    assert_eq!(asked.states, states);
    let records = restantectl("job list -o jsonl").at(&fake).records();
    assert_eq!(records[1]["state"], "completed");
    assert_eq!(records[0]["class"], "large");
    assert_eq!(records[0]["octets"], 20_480);
    assert_eq!(records[1]["class"], "pager");
    assert_eq!(records[1]["octets"], 0);
}

#[test]
fn a_job_is_shown_recipient_by_recipient() {
    let fan_out = jobs();
    let fake = fan_out.started();
    let ran = restantectl("job show 42 --state waiting").at(&fake);
    let text = ran.text();
    for cell in ["sip:bob@example.org", "waiting", "480", "MESSAGE 480"] {
        assert!(text.contains(cell), "{cell} in {text}");
    }
    let asked = fan_out.lock().leg_lists[0].clone();
    assert_eq!(
        (asked.job, asked.states),
        (42, vec![LegState::Waiting.into()])
    );
    let json = restantectl("job show 42 -o json").at(&fake).json();
    let leg = &json["recipients"][0];
    assert_eq!(leg["copy_control"], "cc");
    assert_eq!(leg["next_try_at"], "2026-08-23T10:00:30.250Z");
    assert_eq!(leg["settled_at"], serde_json::Value::Null);
    let unknown = restantectl("job show 7").at(&fake);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}

#[test]
fn jobs_are_cancelled_one_by_one() {
    let fan_out = jobs();
    let fake = fan_out.started();
    let ran = restantectl("job cancel 42 --reason mistake").at(&fake);
    assert_eq!(
        ran.text(),
        "42: cancelled, 4 of 10 have it, 3 on their way\n"
    );
    assert_eq!(fan_out.lock().cancelled[0].reason, "mistake");
    let ran = restantectl("job cancel 41 42").at(&fake);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = restantectl("job cancel 41 42 --yes -o jsonl").at(&fake);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let records = ran.records();
    assert_eq!(records[0]["outcome"], "failed");
    assert_eq!(records[0]["error"]["code"], "failed_precondition");
    assert_eq!(records[1]["after"]["cancelling"], true);
}
