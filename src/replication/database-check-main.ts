import { type Check, checkHere } from './check-here.ts';

/** The entry of the process that checks one database, named in its arguments. Prints a `CheckAnswer`. */
const [path = '', check = 'quick_check'] = process.argv.slice(2);
process.stdout.write(JSON.stringify(checkHere(path, check as Check)));
