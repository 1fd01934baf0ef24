use super::fault::Fault;
use super::pool::Transaction;

/// Does some of the work of a transaction in a savepoint: what the database refuses for the sake of a row leaves nothing
/// behind, and is the inner error.
pub(crate) async fn apart<T>(
    transaction: &Transaction,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<Result<T, Fault>, Fault> {
    transaction.client.batch_execute("SAVEPOINT apart").await?;
    match work.await {
        Ok(done) => {
            transaction.client.batch_execute("RELEASE SAVEPOINT apart").await?;
            Ok(Ok(done))
        }
        Err(fault) if fault.is_refusal() => {
            transaction.client.batch_execute("ROLLBACK TO SAVEPOINT apart; RELEASE SAVEPOINT apart").await?;
            Ok(Err(fault))
        }
        Err(fault) => Err(fault),
    }
}
