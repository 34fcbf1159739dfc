//! CPIM and IMDN documents.
