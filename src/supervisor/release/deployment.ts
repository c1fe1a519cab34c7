import type { Config } from '../../config.ts';
import type { LitestreamBinary } from '../../replication/binary.ts';
import type { Background } from '../../runtime/background.ts';
import type { Secrets } from '../../secrets.ts';

/** Code that does not change any more, and the Node.js that runs it. */
export interface Release {
  /** Names it: of its files, of what npm has installed for it, and of where that is. Hexadecimal. */
  readonly hash: string;
  /** The version in its package.json. */
  readonly version: string;
  /** Absolute; holds `src`, `config` and a link to its `node_modules`. */
  readonly folder: string;
  /** Absolute; the Node.js that its processes run. */
  readonly nodePath: string;
}

/** What processes are made from: a release with the settings and the binaries that it was brought into service with. */
export interface Deployment {
  readonly release: Release;
  readonly config: Config;
  readonly secrets: Secrets;
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
}
