-- A deferred foreign key of the application would otherwise fail the commit, and with it every job of the step.
SET CONSTRAINTS ALL IMMEDIATE
