/** @returns a valid alert, the same for every peer; `movieId` makes it unlike any other */
export function alertOf(movieId: string) {
  return {
    movieId,
    email: 'someone@example.org',
    notification_date: '2030-01-31',
    title: 'The Third Man (restored)',
    category: 'film noir',
    imageUrl: 'https://example.org/covers/the-third-man.png',
  };
}

/** @returns the key of the n-th seeded alert, all of the same length */
export function seededMovieId(index: number): string {
  return `seeded-${String(index).padStart(8, '0')}`;
}

/** @returns the path of an alert */
export function alertPath(movieId: string): string {
  return `/alert/movie/${encodeURIComponent(movieId)}`;
}
