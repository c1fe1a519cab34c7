import type { Config } from '../../config/config.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { SettingEntry } from '../../contract/manifest.ts';
import type { Families } from '../../metrics/catalog.ts';
import type { LitestreamBinary } from '../../replication/binary.ts';
import type { Background } from '../../runtime/background.ts';
import type { StoredRelease } from './store.js';

/** Code that does not change any more, and the Node.js that runs it. */
export type Release = StoredRelease;

/** What processes are made from: a release, and the settings and binaries with which it was brought into service. */
export interface Deployment {
  readonly release: Release;
  readonly config: Config;
  readonly secrets: Secrets;
  /** The app's secrets, by name. */
  readonly appSecrets: Readonly<Record<string, string>>;
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  /** The app's settings. */
  readonly settings: readonly SettingEntry[];
  /** What the app counts. */
  readonly metrics: Families;
}
