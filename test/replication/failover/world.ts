import { AcknowledgeGate } from '../../../src/replication/failover/acknowledge-gate.ts';
import {
  Contender,
  type LeaseNote,
  type LeaseWrite,
  type Look,
} from '../../../src/replication/failover/contender.ts';
import { epochFolder } from '../../../src/replication/failover/epoch.ts';
import { timesOf } from '../../../src/replication/failover/times.ts';
import type { Identity } from '../../../src/replication/lease/identity.ts';
import type { LeaseRecord } from '../../../src/replication/lease/record.ts';

export const TTL_MS = 12_000;
const TIMES = timesOf(TTL_MS);
/** Clocks run 10 % apart at most. */
const RATES = [0.95, 1.05] as const;

/** What a wrong implementation would do: each has to be caught. */
export interface Mutation {
  /** Acknowledges when the upload has landed. */
  readonly hasNoGate?: boolean;
  /** Restores before it takes the record. */
  readonly restoresBefore?: boolean;
  /** Says that its folder is filled before it is. */
  readonly switchesEarly?: boolean;
  /** Counts a vow from its answer. */
  readonly vowsFromAnswer?: boolean;
  /** Promises also while its own write is under way. */
  readonly vowsAlways?: boolean;
  /** Takes its old databases for whole after they were lost. */
  readonly keepsEpoch?: boolean;
  /** The store takes every write. */
  readonly isUnconditional?: boolean;
  /** The virtual machine is paused, and its clock with it. */
  readonly isFrozen?: boolean;
  /** Two that commit at once are no violation; two that acknowledge as replicated are. */
  readonly isLocalAllowed?: boolean;
}

interface Sent {
  readonly sentAtMs: number;
  /** Whoever has sent it is another by now. */
  readonly life: number;
  /** Undefined until the store has handled it. */
  answer?: unknown;
  isHandled?: boolean;
}

type Act = () => void;
/** How often it is chosen, beside the others that can happen. */
type Step = readonly [weight: number, act: Act];

/** One of two systems: a contender, and all around it that a takeover concerns. */
class SystemNode {
  readonly name: string;
  readonly world: World;
  readonly rate: number;
  clockMs = 0;
  /** Rises when the disk is lost. */
  disk = 0;
  /** Rises with each activation. */
  life = 0;
  isStopped = false;
  contender!: Contender;
  note: LeaseNote | undefined;
  /** Writes that its databases have, in order. */
  db: number[] = [];
  gate!: AcknowledgeGate<number>;
  look: (Sent & { readonly mark: number }) | undefined;
  write: (Sent & { readonly write: LeaseWrite }) | undefined;
  vow: Sent | undefined;
  upload: { readonly folder: string; readonly items: readonly number[]; isLanded: boolean } | undefined;
  uploaded = -1;

  constructor(world: World, name: string, rate: number) {
    this.world = world;
    this.name = name;
    this.rate = rate;
    this.activate();
  }

  activate(): void {
    this.life += 1;
    this.upload = undefined;
    this.uploaded = -1;
    this.begin();
  }

  /** A process of the same activation. */
  begin(): void {
    const self: Identity = {
      name: this.name,
      instance: this.name,
      // Also where the data folder alone is lost.
      bootId: this.name,
      folder: '1:1',
      pid: this.life,
    };
    this.contender = new Contender({
      self,
      session: `${this.name}${this.life}`,
      ttlMs: TTL_MS,
      now: () => this.clockMs,
      note: this.note,
    });
    this.gate = new AcknowledgeGate();
    this.look = undefined;
    this.write = undefined;
    this.vow = undefined;
  }

  get id(): string {
    return `${this.name}/${this.disk}`;
  }

  /** Its databases go, as with a lost machine, or when it was fenced. */
  lose(): void {
    this.db = [];
    this.disk += 1;
    if (!this.world.mutation.keepsEpoch) this.note = undefined;
    this.activate();
  }
}

/** Two systems, a store and time, moved by steps that a schedule chooses. Every message may be late, lost, or answered to nobody. */
export class World {
  readonly mutation: Mutation;
  /** As the bucket has it. */
  stored: { readonly text: string; readonly tag: string } | undefined;
  /** What each folder holds, and who has written it. */
  readonly prefixes = new Map<string, { items: readonly number[]; by: string | undefined }>();
  readonly acknowledged = new Set<number>();
  readonly counts: Record<string, number> = {};
  readonly nodes: readonly [SystemNode, SystemNode];
  /** Writes whose sender waits no longer: they may still land. */
  readonly stray: LeaseWrite[] = [];
  /** Session by epoch: an epoch has one folder, and one disk that writes it. */
  readonly epochs = new Map<number, string>();
  #tags = 0;
  #writes = 0;
  violation: string | undefined;

  constructor(mutation: Mutation = {}) {
    this.mutation = mutation;
    this.prefixes.set('', { items: [], by: undefined });
    this.nodes = [new SystemNode(this, 'A', RATES[0]), new SystemNode(this, 'B', RATES[1])];
  }

  get record(): LeaseRecord | undefined {
    return this.stored && JSON.parse(this.stored.text);
  }

  /** Everything that can happen now; what goes as it should is chosen more often. */
  get steps(): readonly Step[] {
    const steps: Step[] = [250, 1000, 2500].map((durationMs) => [12, () => this.#pass(durationMs)]);
    for (const write of this.stray) steps.push([2, () => this.#landStray(write)]);
    for (const [index, node] of this.nodes.entries()) {
      const peer = this.nodes[1 - index] as SystemNode;
      steps.push(...this.#inTransit(node, peer));
      if (node.isStopped) steps.push([8, () => this.#wake(node)]);
      else steps.push(...this.#own(node));
    }
    return steps;
  }

  /** One step, and then what has to hold. */
  take(choice: number): void {
    const { steps } = this;
    let left = choice % steps.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, act] of steps) {
      left -= weight;
      if (left >= 0) continue;
      act();
      break;
    }
    this.#check();
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  #pass(durationMs: number): void {
    for (const node of this.nodes) {
      if (!(node.isStopped && this.mutation.isFrozen)) node.clockMs += durationMs * node.rate;
      // A driver waits for an answer only so long.
      if (node.isStopped) continue;
      if (node.look && node.clockMs - node.look.sentAtMs > TIMES.requestTimeoutMs) {
        node.look = undefined;
        node.contender.looked({ kind: 'silent', reason: 'late' });
      }
      if (node.write && node.clockMs - node.write.sentAtMs > TIMES.requestTimeoutMs) this.#giveUp(node);
    }
  }

  #giveUp(node: SystemNode): void {
    const { write } = node;
    if (!write) return;
    node.write = undefined;
    if (!write.isHandled) this.stray.push(write.write);
    if (write.life === node.life) node.contender.wrote(write.write, 'silent', write.sentAtMs);
  }

  #land({ record, over }: LeaseWrite): boolean {
    if (!this.mutation.isUnconditional && this.stored?.tag !== over?.tag) return false;
    this.#tags += 1;
    this.stored = { text: JSON.stringify(record), tag: String(this.#tags) };
    this.#count(record.state === 'released' ? 'released' : 'landed');
    return true;
  }

  #landStray(write: LeaseWrite): void {
    this.stray.splice(this.stray.indexOf(write), 1);
    if (this.#land(write)) this.#count('landed late');
  }

  /** What happens between a system and the rest, whether it runs or not. */
  #inTransit(node: SystemNode, peer: SystemNode): Step[] {
    const steps: Step[] = [];
    const { look, write, vow, upload } = node;
    if (look && !look.isHandled) {
      const handle = () => {
        look.isHandled = true;
        look.answer = this.stored;
      };
      steps.push([30, handle]);
    }
    if (write && !write.isHandled) {
      const handle = () => {
        write.isHandled = true;
        write.answer = this.#land(write.write);
      };
      steps.push([30, handle]);
    }
    if (vow && !vow.isHandled && !peer.isStopped) {
      const handle = () => {
        vow.isHandled = true;
        const session = node.contender.note?.session ?? '';
        vow.answer =
          vow.life === node.life && (this.mutation.vowsAlways === true || peer.contender.vow(session));
      };
      steps.push([15, handle]);
    }
    if (upload && !upload.isLanded) {
      const land = () => {
        upload.isLanded = true;
        const there = this.prefixes.get(upload.folder);
        if (there?.by !== undefined && there.by !== node.id)
          this.violation = `${node.id} writes to ${upload.folder} of ${there.by}`;
        if (!there || upload.items.length > there.items.length)
          this.prefixes.set(upload.folder, { items: upload.items, by: node.id });
      };
      steps.push([20, land]);
    }
    return steps;
  }

  #wake(node: SystemNode): void {
    node.isStopped = false;
    this.#count('woke');
  }

  /** What a system does that runs. */
  #own(node: SystemNode): Step[] {
    const { contender } = node;
    const steps: Step[] = [];
    if (contender.isOver) {
      const begin = () => {
        this.#count(contender.state);
        this.#abandon(node);
        node.lose();
      };
      return [[15, begin]];
    }
    const { look, write, vow } = node;
    if (!look && !write) {
      const send = () => {
        node.look = { sentAtMs: node.clockMs, life: node.life, mark: node.gate.mark() };
      };
      steps.push([30, send]);
    }
    if (look?.isHandled) {
      const read = () => this.#looked(node, look);
      steps.push([30, read]);
    }
    if (write?.isHandled && write.life === node.life) {
      const read = () => {
        node.write = undefined;
        contender.wrote(write.write, write.answer === true ? 'written' : 'refused', write.sentAtMs);
        this.#keep(node);
      };
      steps.push([30, read]);
    }
    if (contender.isHolder && !vow) {
      const ask = () => {
        node.vow = { sentAtMs: node.clockMs, life: node.life };
      };
      steps.push([12, ask]);
    }
    if (vow?.isHandled) {
      const read = () => {
        node.vow = undefined;
        if (vow.answer !== true || vow.life !== node.life) return;
        this.#count('vow');
        contender.vowed(this.mutation.vowsFromAnswer ? node.clockMs : vow.sentAtMs);
      };
      steps.push([15, read]);
    }
    if (contender.isHolder) steps.push(...this.#asHolder(node));
    if (contender.state === 'offered') steps.push([4, () => this.#reclaim(node)]);
    const stop = () => {
      node.isStopped = true;
    };
    steps.push([3, stop]);
    steps.push([1, () => this.#crash(node)]);
    steps.push([2, () => this.#exchange(node)]);
    return steps;
  }

  /** Its contender's process is another one, which its primary tells what the one before was told. */
  #exchange(node: SystemNode): void {
    if (node.write && !node.write.isHandled) this.stray.push(node.write.write);
    node.begin();
    if (node.uploaded >= 0) {
      node.contender.covered();
      node.gate.add(node.uploaded);
    }
    this.#count('exchanges');
  }

  #asHolder(node: SystemNode): Step[] {
    const { contender, gate } = node;
    const folder = epochFolder(contender.epoch as number);
    const steps: Step[] = [];
    const { upload } = node;
    if (contender.note?.isWhole !== true) {
      const restore = () => {
        const from = this.prefixes.get(contender.data);
        if (!this.mutation.restoresBefore) node.db = [...(from?.items ?? [])];
        contender.restored();
        this.#keep(node);
        this.#count('restored');
        const isNewest = this.record?.session === contender.note?.session;
        const missing = [...this.acknowledged].filter((write) => !node.db.includes(write));
        if (isNewest && missing.length > 0) this.violation = `${node.id} leads without ${missing}`;
      };
      return [[20, restore]];
    }
    if (contender.mayCommit) {
      const commit = () => {
        this.#writes += 1;
        node.db.push(this.#writes);
        this.#count('commits');
      };
      steps.push([15, commit]);
    }
    if (!upload && node.uploaded < node.db.length) {
      const send = () => {
        node.upload = { folder, items: [...node.db], isLanded: false };
      };
      steps.push([20, send]);
    }
    if (upload?.isLanded) {
      const hear = () => {
        node.upload = undefined;
        node.uploaded = upload.items.length;
        contender.covered();
        gate.add(upload.items.length);
        if (this.mutation.hasNoGate) this.#acknowledge(node, upload.items);
      };
      steps.push([20, hear]);
    }
    if (this.mutation.switchesEarly) steps.push([12, () => contender.covered()]);
    if (!upload && node.uploaded === node.db.length && !contender.isReleasing)
      steps.push([1, () => contender.release(this.#writes % 2 === 0)]);
    if (contender.isReleasing) steps.push([2, () => this.#reclaim(node)]);
    return steps;
  }

  #reclaim({ contender }: SystemNode): void {
    contender.reclaim();
    if (!contender.isReleasing) this.#count('reclaims');
  }

  #looked(node: SystemNode, look: NonNullable<SystemNode['look']>): void {
    const { contender, gate } = node;
    node.look = undefined;
    const stored = look.answer as World['stored'];
    const found: Look = stored
      ? { kind: 'found', stored, sentAtMs: look.sentAtMs }
      : { kind: 'missing', epochs: [...this.prefixes.keys()].slice(1), sentAtMs: look.sentAtMs };
    // Its own copy, made before the record is taken.
    if (this.mutation.restoresBefore && contender.state === 'standby')
      node.db = [...(this.prefixes.get(this.record?.data ?? '')?.items ?? [])];
    const write = contender.looked(found);
    if (contender.isConfirmedBy(found)) {
      for (const items of gate.pass(look.mark)) this.#acknowledge(node, node.db.slice(0, items));
    } else if (contender.state === 'fenced') gate.drop();
    if (!write) return;
    if (write.purpose === 'take') this.#count('challenges');
    this.#keep(node);
    node.write = { write, sentAtMs: node.clockMs, life: node.life };
  }

  #acknowledge(node: SystemNode, items: readonly number[]): void {
    for (const write of items) {
      if (this.acknowledged.has(write)) continue;
      this.acknowledged.add(write);
      this.#count(`acknowledged by epoch ${Math.min(3, node.contender.epoch as number)}`);
    }
  }

  #keep(node: SystemNode): void {
    node.note = node.contender.note ?? node.note;
  }

  /** What it has sent goes on without it. */
  #abandon(node: SystemNode): void {
    if (node.write && !node.write.isHandled) this.stray.push(node.write.write);
    node.write = undefined;
    const { upload } = node;
    if (upload && !upload.isLanded && this.#writes % 2 === 0) {
      const there = this.prefixes.get(upload.folder);
      if (!there || upload.items.length > there.items.length)
        this.prefixes.set(upload.folder, { items: upload.items, by: node.id });
    }
  }

  #crash(node: SystemNode): void {
    this.#abandon(node);
    if (this.#writes % 3 === 0) {
      this.#count('restarts');
      node.activate();
    } else {
      this.#count('losses');
      node.lose();
    }
  }

  #check(): void {
    const { record } = this;
    const [one, other] = this.nodes;
    if (record) {
      const items = this.prefixes.get(record.data)?.items ?? [];
      const missing = [...this.acknowledged].filter((write) => !items.includes(write));
      if (missing.length > 0)
        this.violation ??= `${missing} acknowledged as replicated, and not in '${record.data}'`;
    }
    const commits = (node: SystemNode) => !node.isStopped && node.contender.mayCommit;
    if (!this.mutation.isLocalAllowed && commits(one) && commits(other)) this.violation ??= 'two may commit';
    for (const node of this.nodes) {
      const { epoch } = node.contender;
      if (epoch === undefined) continue;
      const owner = this.epochs.get(epoch) ?? node.id;
      this.epochs.set(epoch, owner);
      if (owner !== node.id) this.violation ??= `epoch ${epoch} is ${owner}'s and ${node.id}'s`;
    }
  }
}
