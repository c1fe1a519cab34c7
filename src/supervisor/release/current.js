import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../platform/folder.js';

// Plain JavaScript, as tree.js.

const REFUSED_MAX = 20;

/**
 * @typedef {object} Refusal
 * @property {string} hash of a release that did not come up
 * @property {string} reason
 * @property {string} [code] of the Failure; releases of before did not write it
 * @property {number} atMs milliseconds since the epoch
 *
 * @typedef {object} Current which releases run, for a start after the primary was killed
 * @property {string | null} writer the release of the writer, which migrates the databases. Written before it does
 * @property {string | null} workers the release of everything else. Written when all of that is exchanged
 * @property {string | null} previous the release before, which `rollback` brings back
 * @property {string | null} next a folder that somebody has chosen for the next start
 * @property {boolean} isStopped whether the system was asked to stop, and did
 * @property {readonly Refusal[]} refused the newest last
 */

/** @type {Current} */
export const NOTHING_RAN = {
  writer: null,
  workers: null,
  previous: null,
  next: null,
  isStopped: true,
  refused: [],
};

/**
 * @param {string} store `releasesFolder`
 * @returns {Current} NOTHING_RAN where there is no record
 * @throws {Error} of the disk when there is a record and it cannot be read, as without a free descriptor: to go on as
 *   without one would lose what it says at the next write
 */
export function readCurrent(store) {
  const text = textIn(store);
  return (text !== undefined && recordIn(text)) || NOTHING_RAN;
}

/** @param {string} store @returns {boolean} whether it is readable and no record; our own writes never leave it so */
export function isDamaged(store) {
  try {
    const text = textIn(store);
    return text !== undefined && recordIn(text) === undefined;
  } catch {
    return false;
  }
}

/** @param {string} store @returns {string | undefined} undefined where there is none */
function textIn(store) {
  try {
    return readFileSync(pathIn(store), 'utf8');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param {string} text @returns {Current | undefined} undefined for no record: cut short, or written by hand */
function recordIn(text) {
  try {
    const current = { ...NOTHING_RAN, ...JSON.parse(text) };
    const { writer, workers, previous, next, isStopped, refused } = current;
    const areNames = [writer, workers, previous, next].every((name) => name === null || isName(name));
    const areRefusals = Array.isArray(refused) && refused.every((each) => isName(each?.hash));
    return areNames && areRefusals && typeof isStopped === 'boolean' ? current : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} value */
function isName(value) {
  return typeof value === 'string' && value !== '';
}

/** @param {string} store @returns {Current} NOTHING_RAN also where the record cannot be read */
export function currentIfReadable(store) {
  try {
    return readCurrent(store);
  } catch {
    return NOTHING_RAN;
  }
}

/**
 * Changes the record, which is on the disk when this returns. Only the holder of the data folder's lock may do so.
 * @param {string} store
 * @param {Partial<Current>} change
 * @returns {Current} the record as it is now
 */
export function writeCurrent(store, change) {
  const current = { ...readCurrent(store), ...change };
  const path = pathIn(store);
  makeFolder(store);
  const fd = openSync(`${path}.tmp`, 'w', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(current, undefined, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.tmp`, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return current;
}

/**
 * @param {Current} current
 * @param {string} hash
 * @param {import('../../platform/errors.ts').Failure} failure
 * @returns {readonly Refusal[]} the refused releases, this one included
 */
export function withRefusal({ refused }, hash, { message: reason, code }) {
  return [...withoutRefusal({ refused }, hash), { hash, reason, code, atMs: Date.now() }].slice(-REFUSED_MAX);
}

/**
 * The databases were replaced: releases that could not go on with the former ones may be able to with these.
 * @param {string} store
 */
export function forgetMismatches(store) {
  const { refused } = readCurrent(store);
  const left = refused.filter(({ code }) => code !== 'migration_mismatch');
  if (left.length < refused.length) writeCurrent(store, { refused: left });
}

/**
 * @param {Pick<Current, 'refused'>} current
 * @param {string} hash
 * @returns {readonly Refusal[]}
 */
export function withoutRefusal({ refused }, hash) {
  return refused.filter((refusal) => refusal.hash !== hash);
}

/** @param {string} store */
function pathIn(store) {
  return join(store, 'current');
}
