use super::fault::Fault;
use super::pool::Transaction;

/// Does some of the work of a transaction in a savepoint: what the database refuses for the sake of a row leaves nothing
/// behind, and is the inner error.
pub(crate) async fn apart<T>(
    transaction: &Transaction,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<Result<T, Fault>, Fault> {
    in_savepoint(transaction, work, "RELEASE SAVEPOINT apart").await
}

/// The same, but nothing of the work remains: it only shows whether the database would refuse it.
pub(crate) async fn taken_back<T>(
    transaction: &Transaction,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<Result<T, Fault>, Fault> {
    in_savepoint(transaction, work, TAKE_BACK).await
}

const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT apart; RELEASE SAVEPOINT apart";

async fn in_savepoint<T>(
    transaction: &Transaction,
    work: impl Future<Output = Result<T, Fault>>,
    end: &str,
) -> Result<Result<T, Fault>, Fault> {
    transaction.client.batch_execute("SAVEPOINT apart").await?;
    match work.await {
        Ok(done) => {
            transaction.client.batch_execute(end).await?;
            Ok(Ok(done))
        }
        Err(fault) if fault.is_refusal() => {
            transaction.client.batch_execute(TAKE_BACK).await?;
            Ok(Err(fault))
        }
        Err(fault) => Err(fault),
    }
}
