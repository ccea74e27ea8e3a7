//! What data there is.

use sekisho_proto::v1::{self, catalogue_service_server::CatalogueService};
use tonic::{Request, Response};

use super::{Answer, Desk, status};
use crate::{
    convert::{list, name, one_line, optional_line, page, show, show_all, show_page},
    limits::NAME_CHARS,
    record::admitted,
};

/// Most filters of one question.
const FILTERS: usize = 8;

pub(super) struct Service(pub(super) Desk);

#[tonic::async_trait]
impl CatalogueService for Service {
    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Answer<v1::ListDatasetsResponse> {
        let (caller, message) = admitted(request)?;
        let page = page(message.page_size, message.page_token)?;
        let found = self.0.app.list_datasets(&caller, page).await.map_err(status)?;
        let (datasets, next_page_token) = show_page(found);
        Ok(Response::new(v1::ListDatasetsResponse { datasets, next_page_token }))
    }

    async fn get_dataset(
        &self,
        request: Request<v1::GetDatasetRequest>,
    ) -> Answer<v1::GetDatasetResponse> {
        let (caller, message) = admitted(request)?;
        let dataset_id = name(message.dataset_id, "dataset_id")?;
        let version = optional_line(message.version, "version")?;
        let app = &self.0.app;
        let dataset =
            app.dataset(&caller, &dataset_id, version.as_deref()).await.map_err(status)?;
        let profile_toml = dataset.as_ref().profile_toml.clone();
        Ok(Response::new(v1::GetDatasetResponse { dataset: Some(show(dataset)), profile_toml }))
    }

    async fn count_patients(
        &self,
        request: Request<v1::CountPatientsRequest>,
    ) -> Answer<v1::CountPatientsResponse> {
        let (caller, message) = admitted(request)?;
        let dataset_id = name(message.dataset_id, "dataset_id")?;
        let version = optional_line(message.version, "version")?;
        let table = name(message.table, "table")?;
        let filters = list(message.filters, "filters", FILTERS, |filter, field| {
            let column = name(filter.column, &format!("{field}.column"))?;
            Ok((column, one_line(filter.code, &format!("{field}.code"), NAME_CHARS)?))
        })?;
        let app = &self.0.app;
        let found = app
            .count_patients(&caller, &dataset_id, version.as_deref(), &table, &filters)
            .await
            .map_err(status)?;
        Ok(Response::new(show(found)))
    }

    async fn list_linkage_rules(
        &self,
        request: Request<v1::ListLinkageRulesRequest>,
    ) -> Answer<v1::ListLinkageRulesResponse> {
        let (caller, _) = admitted(request)?;
        let rules = self.0.app.linkage_rules(&caller).await.map_err(status)?;
        Ok(Response::new(v1::ListLinkageRulesResponse { rules: show_all(rules) }))
    }
}
