import { join } from 'node:path';
import {
  type Invocation,
  LOAD,
  type LoadShape,
  type Settled,
  type StageOptions,
  Stage as TestStage,
} from '../../src/testing/chaos/stage.ts';
import { Load } from './clients/load.ts';
import type { RequestRecord } from './clients/record.ts';
import { Deployment } from './deployment.ts';
import { checkHistory, disagreementFigures } from './history/check.ts';

/** The load that clients put on the alerts. */
export interface AlertsLoadShape extends Partial<LoadShape> {
  /** An additional field of alerts, which only a newer release knows; every write sends it. */
  readonly newField?: string;
}

/** The stage of a trial of the alerts: a copy of the code, and clients in a process of their own. */
export class Stage extends TestStage<RequestRecord, Load, AlertsLoadShape> {
  readonly writePath = '/alert';
  readonly deployment: Deployment;

  constructor(options: StageOptions) {
    super(options);
    this.deployment = new Deployment(join(this.folder, 'code'));
  }

  protected get defaultInvocation(): Invocation {
    return {
      root: this.deployment.root,
      cwd: this.dataDir,
      nodePath: process.execPath,
      env: { DATA_DIR: this.dataDir },
      uid: undefined,
      args: [],
    };
  }

  protected makeLoad(index: number, shape: AlertsLoadShape): Load {
    return new Load({ ...LOAD, url: this.system.url, prefix: `c${index}`, seed: this.seed, ...shape });
  }

  makeRelease(version: string): void {
    this.deployment.setVersion(version);
  }

  async settle(): Promise<Settled> {
    const records = await this.stopLoad();
    const { code } = await this.stopSystem();
    const found = checkHistory(join(this.dataDir, 'main.db'), records);
    return { records, figures: { ...disagreementFigures(found), 'unclean stops': code === 0 ? 0 : 1 } };
  }
}
