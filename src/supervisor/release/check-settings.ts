import { appSettingMistakes } from '../../app-settings.ts';

/** A script of its own: prints what is wrong with the app's settings in its environment, as one line of JSON, and ends. */
process.stdout.write(`${JSON.stringify(await appSettingMistakes(process.env))}\n`);
