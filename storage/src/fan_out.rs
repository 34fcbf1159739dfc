//! What a store does for the controlling function: groups, jobs and legs (requirements §1.7). A part of the
//! contract of [`crate::Store`].

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{
    Address, Group, GroupOrder, GroupRefusal, Job, JobAdmission, JobAdmissionOutcome, JobClass,
    JobNumber, JobOutcome, JobPage, JobQuery, JobRequest, JobWithTemplate, LargeJob, Leg, LegBatch,
    LegOutcome, LegSettled, LegToken, Owner, UploadId,
};
use crate::store::{StoreError, Synced};

/// A group, and its document as the owner wrote it.
pub type GroupWithDocument = (Group, Option<Vec<u8>>);

/// The place of a group in a listing.
pub type GroupPlace = [u8; 16];

/// Legs that one call settles or renews at a time are handled in pieces of this size: a piece is decided
/// and written as a whole. So many keep the committer from others for a millisecond or two.
pub(crate) const LEGS_AT_ONCE: usize = 128;

/// Groups, jobs and legs.
///
/// * Content and roster of an accepted job are frozen and on disk; retries get the first receipt.
/// * At most one leg per target is claimed at a time, of all jobs of a class.
/// * Legs of one sender to one target go in the order of their jobs; senders take turns. Legs of large messages and
///   of others do not wait for one another.
/// * A job ends when every leg has its outcome: at the latest some time after its lifetime, when the leases
///   of the legs in flight are over.
pub trait FanOutStore: Send + Sync + 'static {
    /// Changes a group and returns it as it is then, or as it was if it is forgotten.
    fn change_group(
        &self,
        order: GroupOrder,
    ) -> impl Future<Output = Result<Result<Synced<Group>, GroupRefusal>, StoreError>> + Send;

    /// A group.
    fn group(&self, uri: Address)
    -> impl Future<Output = Result<Option<Group>, StoreError>> + Send;

    /// The group that a document in the tree of its owner is about, and the document; without one if the group has
    /// none and the name is its address.
    fn group_document(
        &self,
        owner: Address,
        name: String,
    ) -> impl Future<Output = Result<Option<GroupWithDocument>, StoreError>> + Send;

    /// Which of these addresses are groups, in their order.
    fn which_are_groups(
        &self,
        uris: Vec<Address>,
    ) -> impl Future<Output = Result<Vec<bool>, StoreError>> + Send;

    /// Groups behind a place, in the order of places, at most `limit`.
    fn list_groups(
        &self,
        after: Option<GroupPlace>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(GroupPlace, Group)>, StoreError>> + Send;

    /// Makes a message a job, or finds that it is one.
    fn accept_job(
        &self,
        request: JobRequest,
    ) -> impl Future<Output = Result<JobOutcome, StoreError>> + Send;

    /// Whether a large message to many would be taken, and where its octets go: to [`crate::Store::stage`], as those of
    /// any large message. The rate of the sender is looked at, not spent. [`StoreError::UploadTooLarge`] if it
    /// announces more than is taken, [`StoreError::Overloaded`] if too many uploads are under way.
    fn admit_job(
        &self,
        admission: JobAdmission,
    ) -> impl Future<Output = Result<JobAdmissionOutcome, StoreError>> + Send;

    /// Makes an upload a job, or finds that the message is one. No leg is there before. Ends the upload in any case.
    /// [`StoreError::UploadIncomplete`] unless exactly the octets of the job have come, [`StoreError::OtherUpload`] if
    /// it was admitted for a message.
    fn commit_job(
        &self,
        upload: UploadId,
        job: LargeJob,
    ) -> impl Future<Output = Result<JobOutcome, StoreError>> + Send;

    /// Whether a claim is not superseded and its leg has no outcome. [`StoreError::NotFound`] if there is no such leg.
    fn holds_leg(&self, token: LegToken) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Octets `offset..offset + length` of the content of a large message to many, less at its end, empty past it.
    /// [`StoreError::NotFound`] if there is none, or no leg is left that could read it.
    fn read_job_content(
        &self,
        number: JobNumber,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, StoreError>> + Send;

    /// Claims up to `limit` legs of a class for an edge. For one caller at a time: two would find the same legs.
    fn claim_legs(
        &self,
        owner: Owner,
        class: JobClass,
        limit: usize,
        lease: Duration,
    ) -> impl Future<Output = Result<LegBatch, StoreError>> + Send;

    /// Extends claims; returns those that are not alive any more.
    fn renew_legs(
        &self,
        tokens: Vec<LegToken>,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<LegToken>, StoreError>> + Send;

    /// Settles legs, and returns once that is synced: one answer for each, in their order.
    fn settle_legs(
        &self,
        settlements: Vec<(LegToken, LegOutcome)>,
    ) -> impl Future<Output = Result<Synced<Vec<LegSettled>>, StoreError>> + Send;

    /// Gives back the legs that former processes of this edge held. How many they were.
    fn release_former(
        &self,
        owner: Owner,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// A job that has not ended, with its template. [`StoreError::NotFound`] if there is none.
    fn job_template(
        &self,
        number: JobNumber,
    ) -> impl Future<Output = Result<JobWithTemplate, StoreError>> + Send;

    /// A job. [`StoreError::NotFound`] if there is none.
    fn job(&self, number: JobNumber) -> impl Future<Output = Result<Job, StoreError>> + Send;

    /// One page of jobs. Looks at a bounded number of them.
    fn list_jobs(
        &self,
        query: JobQuery,
    ) -> impl Future<Output = Result<JobPage, StoreError>> + Send;

    /// Legs of a job from a place in its roster on, at most `limit`.
    fn list_legs(
        &self,
        number: JobNumber,
        from: u32,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Leg>, StoreError>> + Send;

    /// Ends a job: legs that are not in flight get no copy. [`StoreError::Precondition`] if it has ended.
    fn cancel_job(
        &self,
        number: JobNumber,
        reason: String,
    ) -> impl Future<Output = Result<Synced<Job>, StoreError>> + Send;
}
