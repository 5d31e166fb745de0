"""The networks: encoders, identification, E-LSTT, the MCA memory and the decoder."""
