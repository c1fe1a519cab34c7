import { CHILD_PROTOCOL } from '../../messages/messages.ts';
import { Failure } from '../../platform/errors.ts';
import { loadZod } from '../../platform/zod-without-locales.ts';
import { describedApp } from './described-app.ts';
import type { InspectionAnswer, InspectionInput } from './inspection.ts';
import { tell } from './tell.ts';

/**
 * A script of its own: tells what a release is, before any of its processes belongs to the system. It loads what the
 * settings and the tables of features need, looks at the databases read-only, prints one line of JSON, and ends.
 */
async function inspect({ installation }: InspectionInput): Promise<InspectionAnswer> {
  try {
    await loadZod();
    const { loadConfig, restartSettings } = await import('../../config/config.ts');
    const { WRITER_PROTOCOL } = await import('../../writer-client/protocol.ts');
    const { ownersOf } = await import('../../features/owners.ts');
    const { compatibilityOf } = await import('../../sqlite/compatibility.ts');
    const { databasePath } = await import('../../replication/litestream-config.ts');
    const { appSettingMistakes } = await import('../../features/app-settings.ts');
    const { givenOf, refuseWrong } = await import('./app-settings.ts');
    const { config } = loadConfig(process.env, installation);
    const app = await describedApp();
    refuseWrong(await appSettingMistakes(process.env), app, installation);
    return {
      ok: true,
      protocols: { child: CHILD_PROTOCOL, writer: WRITER_PROTOCOL },
      nodeVersion: process.versions.node,
      config: { ...config, appSettings: givenOf(app, process.env) },
      restartSettings: [
        ...restartSettings(),
        ...app.settings.filter(({ changes }) => changes === 'restart').map(({ name }) => name),
      ],
      ...app,
      compatibility: Object.fromEntries(
        app.databases.map((name) => [
          name,
          compatibilityOf(databasePath(config.DATA_DIR, name), ownersOf(name)),
        ]),
      ),
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ok: false, code: error.code, message: error.message, errors: error.options.errors ?? [] };
  }
}

tell(await inspect(JSON.parse(process.argv[2] ?? '') as InspectionInput));
