import type { Deployment } from './deployment.ts';

const SCHEMA = 'src/app/alerts/schema.ts';
const COMMANDS = 'src/app/alerts/commands.ts';
const STATE = 'src/app/alerts/state.ts';
const WORKER = 'src/worker/main.ts';

/** An exchange loads every process twice. More load would only make it slow on two cores, and show no more. */
export const DEPLOY_LOAD = { requestsPerSecond: 300 };

/**
 * Deploys an optional field of alerts: its column, and the code that writes and reads it.
 *
 * @param field a new one; the field of the last release is removed from the code, and stays in the database
 * @param isCompatible whether the migration is marked as compatible with older releases
 * @returns the migration's file name
 */
export function addField(deployment: Deployment, field: string, isCompatible: boolean): string {
  for (const path of [SCHEMA, COMMANDS, STATE]) deployment.restore(path);
  const file = deployment.addMigration(
    `add_${field}`,
    `ALTER TABLE alerts ADD COLUMN ${field} TEXT;`,
    isCompatible,
  );
  const alert = 'export const alert = z.object({';
  deployment.replace(SCHEMA, alert, `${alert}\n  ${field}: text(300).optional(),`);
  deployment.replace(COMMANDS, 'image_url, created_at_ms', `image_url, ${field}, created_at_ms`);
  deployment.replace(COMMANDS, '@imageUrl, @nowMs', `@imageUrl, @${field}, @nowMs`);
  deployment.replace(
    COMMANDS,
    'image_url = excluded.image_url,',
    `image_url = excluded.image_url, ${field} = excluded.${field},`,
  );
  deployment.replace(COMMANDS, 'upsert.get({ ', `upsert.get({ ${field}: null, `);
  deployment.replace(STATE, 'image_url AS imageUrl', `image_url AS imageUrl, ${field}`);
  deployment.replace(STATE, 'movieId: row.movieId,', `movieId: row.movieId, ${field}: row.${field},`);
  return file;
}

/**
 * Deploys a worker that reaches standby, and runs a statement when it takes its slot.
 * @param statement such as `throw new Error()`
 */
export function failInPlace(deployment: Deployment, statement: string): void {
  const place = 'runtime.ready();';
  deployment.replace(
    WORKER,
    place,
    `if (/^ninelives worker-\\d+$/.test(process.title)) { ${statement} }\n  ${place}`,
  );
}

export function mendInPlace(deployment: Deployment): void {
  deployment.restore(WORKER);
}
