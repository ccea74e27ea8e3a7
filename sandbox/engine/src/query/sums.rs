//! `sum`, `avg`, `var` and `stddev` of a guest's SQL. Those that DataFusion brings round as they
//! go, so that their last bits hang on the order of rows, and whole numbers wrap around. These
//! add without rounding, and take away again for sliding windows; a sum of whole numbers that
//! does not fit ends the query.

mod accumulate;
mod exact;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use accumulate::{ByGroup, Distinct, One};

/// What is made of the moments of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Sum,
    Mean,
    Variance { sample: bool, root: bool },
}

/// One of these functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Moment {
    name: &'static str,
    aliases: Vec<String>,
    of: Of,
    signature: Signature,
}

/// All of them.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let variance = |sample, root| Of::Variance { sample, root };
    let all: [(&str, &[&str], Of); 6] = [
        ("sum", &[], Of::Sum),
        ("avg", &["mean"], Of::Mean),
        ("var", &["var_samp", "var_sample", "variance"], variance(true, false)),
        ("var_pop", &["var_population"], variance(false, false)),
        ("stddev", &["stddev_samp"], variance(true, true)),
        ("stddev_pop", &[], variance(false, true)),
    ];
    let made = all.map(|(name, aliases, of)| {
        let aliases = aliases.iter().map(ToString::to_string).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::from(Moment { name, aliases, of, signature }))
    });
    made.to_vec()
}

impl AggregateUDFImpl for Moment {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [given] = given else { return plan_err!("{} takes one column", self.name) };
        match given {
            whole if whole.is_integer() => Ok(vec![DataType::Int64]),
            DataType::Null => Ok(vec![DataType::Float64]),
            number if number.is_floating() => Ok(vec![DataType::Float64]),
            other => plan_err!("{} adds numbers, not {other}", self.name),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match (self.of, given) {
            (Of::Sum, [DataType::Int64]) => DataType::Int64,
            _ => DataType::Float64,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[moments]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let one = One::new(self.of, args.return_type());
        if !args.is_distinct {
            return Ok(Box::new(one));
        }
        let whole = args.expr_fields.first().is_some_and(|f| *f.data_type() == DataType::Int64);
        Ok(Box::new(Distinct::over(one, whole)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ByGroup::new(self.of, args.return_type())))
    }
}
