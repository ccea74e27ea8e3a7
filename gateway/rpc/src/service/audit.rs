//! The log and its proofs.

use futures::StreamExt;
use sekisho_app::{AppError, audit::ProofView};
use sekisho_proto::v1::{self, audit_service_server::AuditService};
use tonic::{Request, Response};

use super::{Answer, Desk, status};
use crate::{
    held::{Answers, while_admitted},
    record::admitted,
};

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl AuditService for Service {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Answer<v1::GetCheckpointResponse> {
        let (caller, _) = admitted(request)?;
        let checkpoint = self.0.app.checkpoint(&caller).await.map_err(status)?.into_inner();
        Ok(Response::new(v1::GetCheckpointResponse {
            checkpoint: checkpoint.note,
            verifier_key: checkpoint.verifier_key,
        }))
    }

    type ExportEntriesStream = Answers<v1::ExportEntriesResponse>;

    async fn export_entries(
        &self,
        request: Request<v1::ExportEntriesRequest>,
    ) -> Answer<Self::ExportEntriesStream> {
        let hold = self.0.hold(&request)?;
        let (caller, message) = admitted(request)?;
        let app = &self.0.app;
        let entries = app.export_entries(&caller, message.start, message.end).await;
        let answers = entries.map_err(status)?.into_inner().map(|entry| {
            entry
                .map(|entry| v1::ExportEntriesResponse {
                    index: entry.index,
                    leaf: entry.leaf,
                    leaf_hash: entry.leaf_hash,
                    checkpoint: entry.checkpoint.unwrap_or_default(),
                })
                .map_err(|error| status(AppError::from(error)))
        });
        Ok(Response::new(while_admitted(hold, answers)))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Answer<v1::GetInclusionProofResponse> {
        let (caller, message) = admitted(request)?;
        let app = &self.0.app;
        let proof = app.inclusion_proof(&caller, message.index, message.tree_size).await;
        let ProofView { from, tree_size, hashes } = proof.map_err(status)?.into_inner();
        Ok(Response::new(v1::GetInclusionProofResponse {
            index: from,
            tree_size,
            hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Answer<v1::GetConsistencyProofResponse> {
        let (caller, message) = admitted(request)?;
        let app = &self.0.app;
        let proof = app.consistency_proof(&caller, message.old_size, message.new_size).await;
        let ProofView { from, tree_size, hashes } = proof.map_err(status)?.into_inner();
        Ok(Response::new(v1::GetConsistencyProofResponse {
            old_size: from,
            new_size: tree_size,
            hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        }))
    }
}
