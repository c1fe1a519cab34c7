/** How a command was called; src/bin.js makes it. */
export interface Invocation {
  /** The project's folder as it was named, absolute. It may be a symbolic link: a reload resolves it anew. */
  readonly root: string;
  /** The folder that settings, `.env`, relative paths and the default DATA_DIR belong to. */
  readonly installation: string;
  /** The environment before `.env` was read. It holds secrets. */
  readonly environment: NodeJS.ProcessEnv;
}
