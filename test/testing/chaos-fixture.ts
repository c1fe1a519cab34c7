import type { TriedApp } from '../../src/testing/chaos/app-stage.ts';
import { noteRequests } from '../support/note-clients.ts';

export const app: TriedApp = noteRequests('trial');
