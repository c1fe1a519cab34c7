import { type Check, checkHere } from './check-here.ts';

/** The entry of the process that checks the database in its arguments. It prints a `CheckAnswer` as JSON. */
const [path = '', check = 'quick_check'] = process.argv.slice(2);
process.stdout.write(JSON.stringify(checkHere(path, check as Check)));
