//! Sealed objects in a folder. Whatever lies there is ciphertext; an object without a
//! row that names it is what a crash left behind, and means nothing.

use std::path::Path as FilePath;

use object_store::{
    ObjectStore as _, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path,
};

use crate::StoreError;

/// The folder of sealed objects.
#[derive(Clone, Debug)]
pub struct Objects(std::sync::Arc<LocalFileSystem>);

impl Objects {
    pub(crate) fn open(folder: &FilePath) -> Result<Self, StoreError> {
        Ok(Self(std::sync::Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
    }

    pub(crate) async fn put(&self, name: &str, sealed: Vec<u8>) -> Result<(), StoreError> {
        self.0.put(&Path::from(name), PutPayload::from(sealed)).await?;
        Ok(())
    }

    /// Removes an object, or all in a folder when the name ends in `/`; what is gone already
    /// is fine.
    pub(crate) async fn remove_all(&self, name: &str) -> Result<(), StoreError> {
        if !name.ends_with('/') {
            return self.remove(name).await;
        }
        for object in self.0.list_with_delimiter(Some(&Path::from(name))).await?.objects {
            self.remove(object.location.as_ref()).await?;
        }
        Ok(())
    }

    /// Removes an object; one that is gone already is fine.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.0.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.get(&Path::from(name)).await?.bytes().await?.to_vec())
    }
}
