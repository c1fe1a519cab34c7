import { chaos } from 'ninelives/testing';
import { notes } from './notes.ts';

process.exitCode = await chaos(notes);
