/** How a command was called; src/launch.js makes it. */
export interface Invocation {
  /** The project's folder as it was named, absolute. It may be a symbolic link: a reload resolves it anew. */
  readonly root: string;
  /** The folder that settings, `.env`, relative paths and the default DATA_DIR belong to. */
  readonly installation: string;
  /** The app's module below the folder of a release, where `--app` has named it; otherwise package.json says it. */
  readonly app: string | undefined;
  /** The program, absolute, by a path that lives as long as the root's. */
  readonly program: string;
  /** The working directory; undefined where it was removed. */
  readonly cwd: string | undefined;
  /** The environment before `.env` was read, with what a unit of systemd sets. It holds secrets. */
  readonly environment: NodeJS.ProcessEnv;
}
