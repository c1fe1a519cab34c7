import { appSettingMistakes } from '../../features/app-settings.ts';
import { tell } from './tell.ts';

/** A script of its own: prints the mistakes in the app's settings in its environment, as one line of JSON, and ends. */
tell(await appSettingMistakes(process.env));
