export const SECRET = 'e7d1f0c2a9';
