"""what stars were given for stays as it was, and views that tell more of raters

Revision: 20261126_07
Revises: 20261126_06
"""

from alembic import op

revision = "20261126_07"
down_revision = "20261126_06"
branch_labels = None
depends_on = None

#: Whole tables, and columns of those of which something happens later, that nobody changes.
_KEPT = {
    "rubric": "",
    "criterion": "",
    "rating_session": "id, name, rater_id, rubric_id, run_id, query, seed, check_share, min_dwell_s, created_at",
    "rating_item": "id, session_id, position, kind, purpose, repeat_of, damage_seed, model, run_id, sample_id, job_id,"
    " trial_ids",
}
_FITS = ("rating", "rating_event", "rating_item")
_CHECK = "kind = 'output' OR purpose = 'real' OR (kind = 'trials' AND purpose = 'repeat')"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_rating_item_checks_fit_kind"), "rating_item", _CHECK)
    op.execute("""
        CREATE FUNCTION rating_frame_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE filled boolean := true;
        BEGIN
            -- To empty what is empty, as when jobs are truncated with all that hangs on them, loses nothing.
            IF TG_OP = 'TRUNCATE' THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO filled;
            END IF;
            IF NOT filled THEN
                RETURN NULL;
            END IF;
            RAISE EXCEPTION 'What stars were given for, and by which words, is never changed or deleted (%)',
                  TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$""")
    for name, columns in _KEPT.items():
        of = f" OF {columns}" if columns else ""
        op.execute(f"""
            CREATE TRIGGER {name}_is_kept BEFORE UPDATE{of} OR DELETE OR TRUNCATE ON {name}
            FOR EACH STATEMENT EXECUTE FUNCTION rating_frame_is_kept()""")
    # Once it is told which model made what, nobody rates on as if they did not know.
    op.execute("""
        CREATE TRIGGER rating_session_stays_finished BEFORE UPDATE OF finished_at ON rating_session FOR EACH ROW
        WHEN (OLD.finished_at IS NOT NULL AND NEW.finished_at IS DISTINCT FROM OLD.finished_at)
        EXECUTE FUNCTION rating_frame_is_kept()""")
    op.execute("""
        CREATE TRIGGER rater_is_kept BEFORE UPDATE OF id, kind ON rater
        FOR EACH STATEMENT EXECUTE FUNCTION rating_frame_is_kept()""")

    op.execute("""
        CREATE FUNCTION rating_fits() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM FROM asked_criterion a WHERE a.item_id = NEW.item_id AND a.criterion = NEW.criterion;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'Item % is not rated by %', NEW.item_id, NEW.criterion
                      USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.supersedes IS NOT NULL THEN
                PERFORM FROM rating o
                  WHERE o.id = NEW.supersedes AND o.item_id = NEW.item_id AND o.criterion = NEW.criterion;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'Rating % is of another item or criterion, and not superseded', NEW.supersedes
                          USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        END $$""")
    op.execute("""
        CREATE FUNCTION rating_event_fits() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.rating_id IS NOT NULL THEN
                PERFORM FROM rating o WHERE o.id = NEW.rating_id AND o.item_id = NEW.item_id;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'Rating % is of another item, and not taken back', NEW.rating_id
                          USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        END $$""")
    op.execute("""
        CREATE FUNCTION rating_item_fits() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Locked, so that none is deleted before this is committed.
            PERFORM FROM trial t
              WHERE t.id = ANY(NEW.trial_ids) AND t.run_id = NEW.run_id AND t.model = NEW.model
                AND t.sample_id = NEW.sample_id FOR KEY SHARE;
            IF (SELECT count(*) FROM trial t
                 WHERE t.id = ANY(NEW.trial_ids) AND t.run_id = NEW.run_id AND t.model = NEW.model
                   AND t.sample_id = NEW.sample_id) < cardinality(NEW.trial_ids) THEN
                RAISE EXCEPTION 'A trial of item % is not there, or of another run, model or sample', NEW.id
                      USING ERRCODE = 'foreign_key_violation';
            END IF;
            IF NEW.repeat_of IS NOT NULL THEN
                PERFORM FROM rating_item o
                  WHERE o.id = NEW.repeat_of AND o.session_id = NEW.session_id AND o.kind = NEW.kind
                    AND o.purpose = 'real' AND o.trial_ids = NEW.trial_ids AND o.job_id IS NOT DISTINCT FROM NEW.job_id;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'Item % shows something else than what it repeats', NEW.id
                          USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        END $$""")
    for name in _FITS:
        # After: of a session's items a repeat may come before what it repeats, in one statement.
        op.execute(f"""
            CREATE TRIGGER {name}_fits AFTER INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_fits()""")

    op.execute("""
        CREATE FUNCTION trial_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                PERFORM FROM rating_item WHERE trial_ids <> '{}';
            ELSE
                PERFORM FROM rating_item i
                  WHERE i.run_id = OLD.run_id AND i.model = OLD.model AND OLD.id = ANY(i.trial_ids);
            END IF;
            IF FOUND THEN
                RAISE EXCEPTION 'Trials that were put before raters are kept, and stay what they are'
                      USING ERRCODE = 'restrict_violation';
            END IF;
            IF TG_OP = 'UPDATE' THEN
                RETURN NEW;
            END IF;
            RETURN OLD;
        END $$""")
    op.execute("""
        CREATE TRIGGER trial_is_kept BEFORE DELETE OR UPDATE OF id, run_id, model, sample_id, number ON trial
        FOR EACH ROW EXECUTE FUNCTION trial_is_kept()""")
    op.execute("""
        CREATE TRIGGER trial_is_not_emptied BEFORE TRUNCATE ON trial
        FOR EACH STATEMENT EXECUTE FUNCTION trial_is_kept()""")


def downgrade() -> None:
    # A trigger goes with its function.
    for function in ("trial_is_kept", *(f"{name}_fits" for name in _FITS), "rating_frame_is_kept"):
        op.execute(f"DROP FUNCTION {function}() CASCADE")
    op.drop_constraint(op.f("ck_rating_item_checks_fit_kind"), "rating_item")
