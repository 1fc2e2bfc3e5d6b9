//! Reading columns by name, with the few types both databases share.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::DbError;

/// Typed access to a row's columns.
pub(crate) trait Columns {
    fn text(&self, name: &str) -> Result<String, DbError>;
    fn text_opt(&self, name: &str) -> Result<Option<String>, DbError>;
    fn int(&self, name: &str) -> Result<i64, DbError>;
    fn int_opt(&self, name: &str) -> Result<Option<i64>, DbError>;
    fn bytes(&self, name: &str) -> Result<Vec<u8>, DbError>;

    fn flag(&self, name: &str) -> Result<bool, DbError> {
        Ok(self.int(name)? != 0)
    }
}

impl Columns for AnyRow {
    fn text(&self, name: &str) -> Result<String, DbError> {
        Ok(self.try_get(name)?)
    }

    fn text_opt(&self, name: &str) -> Result<Option<String>, DbError> {
        Ok(self.try_get(name)?)
    }

    fn int(&self, name: &str) -> Result<i64, DbError> {
        Ok(self.try_get(name)?)
    }

    fn int_opt(&self, name: &str) -> Result<Option<i64>, DbError> {
        Ok(self.try_get(name)?)
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, DbError> {
        Ok(self.try_get(name)?)
    }
}
