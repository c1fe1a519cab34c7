import { createRequire } from 'node:module';
import type { default as Composer } from 'nodemailer/lib/mail-composer';
import type { default as Connection } from 'nodemailer/lib/smtp-connection';

/** Loaded by `require`, for the reason given in node-http.ts: nodemailer's ES modules import `node:http`. */
const require = createRequire(import.meta.url);

export const MailComposer = require('nodemailer/lib/mail-composer') as typeof Composer;
export const SMTPConnection = require('nodemailer/lib/smtp-connection') as typeof Connection;
export type SMTPConnection = Connection;
